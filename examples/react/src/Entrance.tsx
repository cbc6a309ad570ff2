import { type FormEvent, useState } from "react";
import { auth } from "./auth";
import { fields, useCall } from "./call";
import { SecondFactor } from "./SecondFactor";

/** Sign in, or sign up; a sign-in may ask for a second factor. */
export function Entrance() {
  const [isNew, setNew] = useState(false);
  const [methods, setMethods] = useState<string[] | null>(null);
  const { call, error, isBusy } = useCall();

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const { name, email, password, rememberMe } = fields(event.currentTarget);
    if (isNew) {
      await call(auth.signUp.email({ name, email, password }));
      return;
    }
    const data = await call(auth.signIn.email({ email, password, rememberMe: rememberMe === "on" }));
    // Signed in, and useSession knows; or half-way, and a cookie that scripts cannot read says so.
    if (data && "twoFactorRedirect" in data) {
      setMethods((data as { twoFactorMethods?: string[] }).twoFactorMethods ?? ["totp"]);
    }
  }

  if (methods) return <SecondFactor methods={methods} onCancel={() => setMethods(null)} />;
  return (
    <form className="card" onSubmit={submit}>
      <h1>{isNew ? "Create your account" : "Sign in"}</h1>
      {isNew && (
        <label>
          Name
          <input name="name" autoComplete="name" required />
        </label>
      )}
      <label>
        E-mail
        <input name="email" type="email" autoComplete="username" required />
      </label>
      <label>
        Password
        <input
          name="password"
          type="password"
          autoComplete={isNew ? "new-password" : "current-password"}
          minLength={isNew ? 8 : undefined}
          required
        />
      </label>
      {!isNew && (
        <label className="check">
          <input name="rememberMe" type="checkbox" defaultChecked />
          Stay signed in on this device
        </label>
      )}
      {error && <p role="alert">{error}</p>}
      <button className="primary" disabled={isBusy}>
        {isNew ? "Sign up" : "Sign in"}
      </button>
      <button type="button" className="link" onClick={() => setNew(!isNew)}>
        {isNew ? "I have an account" : "Create an account"}
      </button>
    </form>
  );
}
