import { type FormEvent, useState } from "react";
import { auth } from "./auth";
import { fields, useCall } from "./call";

type Enrolment = { totpURI: string; backupCodes: string[] };

/** Turn the second factor on (its password, then a first code) and off. */
export function TwoStep({ isOn }: { isOn: boolean }) {
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null);
  const { call, error, isBusy } = useCall();

  async function turn(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const { password } = fields(event.currentTarget);
    if (isOn) {
      await call(auth.twoFactor.disable({ password }));
    } else {
      const begun = await call(auth.twoFactor.enable({ password }));
      if (begun && "totpURI" in begun) setEnrolment(begun as Enrolment);
    }
  }

  async function confirm(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const { code } = fields(event.currentTarget);
    if (await call(auth.twoFactor.verifyTotp({ code: code.trim() }))) setEnrolment(null);
  }

  return (
    <section className="card" aria-labelledby="two-step">
      <h2 id="two-step">Two-step sign-in is {isOn ? "on" : "off"}</h2>
      {enrolment ? (
        <form onSubmit={confirm}>
          <p>
            <a href={enrolment.totpURI}>Open your authenticator app</a>, or type this key into it:
          </p>
          <code>{new URL(enrolment.totpURI).searchParams.get("secret")}</code>
          <p>Keep these backup codes; each serves once, without the app:</p>
          <code>{enrolment.backupCodes.join(" ")}</code>
          <label>
            Code from the app
            <input name="code" inputMode="numeric" autoComplete="one-time-code" required />
          </label>
          {error && <p role="alert">{error}</p>}
          <button className="primary" disabled={isBusy}>
            Confirm
          </button>
        </form>
      ) : (
        <form onSubmit={turn}>
          <label>
            Your password
            <input name="password" type="password" autoComplete="current-password" required />
          </label>
          {error && <p role="alert">{error}</p>}
          <button disabled={isBusy}>{isOn ? "Turn off" : "Turn on"}</button>
        </form>
      )}
    </section>
  );
}
