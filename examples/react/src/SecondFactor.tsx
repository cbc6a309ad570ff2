import { type FormEvent, useState } from "react";
import { auth } from "./auth";
import { fields, useCall } from "./call";

const LABELS: Record<string, string> = {
  totp: "Code from your authenticator app",
  otp: "Code that was sent to you",
  backup: "Backup code",
};

/** The second step of a sign-in. `methods`: what the server takes, "totp" and "otp". */
export function SecondFactor({ methods, onCancel }: { methods: string[]; onCancel: () => void }) {
  const [method, setMethod] = useState(methods[0]);
  const { call, error, isBusy } = useCall();

  async function choose(next: string) {
    if (next === "otp" && !(await call(auth.twoFactor.sendOtp()))) return;
    setMethod(next);
  }

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const { code, trustDevice } = fields(event.currentTarget);
    const given = { code: code.trim(), trustDevice: trustDevice === "on" };
    if (method === "totp") await call(auth.twoFactor.verifyTotp(given));
    else if (method === "otp") await call(auth.twoFactor.verifyOtp(given));
    else await call(auth.twoFactor.verifyBackupCode(given));
  }

  const others = [...methods, "backup"].filter((other) => other !== method);
  return (
    <form className="card" onSubmit={submit}>
      <h1>One more step</h1>
      <label>
        {LABELS[method]}
        <input key={method} name="code" autoComplete="one-time-code" required autoFocus />
      </label>
      <label className="check">
        <input name="trustDevice" type="checkbox" />
        Do not ask on this device for 30 days
      </label>
      {error && <p role="alert">{error}</p>}
      <button className="primary" disabled={isBusy}>
        Continue
      </button>
      {others.map((other) => (
        <button key={other} type="button" className="link" onClick={() => choose(other)}>
          {other === "otp" ? "Send me a code" : `Use a ${LABELS[other].toLowerCase()}`}
        </button>
      ))}
      <button type="button" className="link" onClick={onCancel}>
        Back
      </button>
    </form>
  );
}
