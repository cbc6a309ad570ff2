import { auth, type Session } from "./auth";
import { useCall } from "./call";
import { Devices } from "./Devices";
import { TwoStep } from "./TwoStep";

/** Who is signed in, and what they can do about it. */
export function Account({ current }: { current: Session }) {
  const { call, error, isBusy } = useCall();
  return (
    <>
      <header className="card row">
        <div>
          <h1>{current.user.name}</h1>
          <p className="quiet">{current.user.email}</p>
          {error && <p role="alert">{error}</p>}
        </div>
        <button disabled={isBusy} onClick={() => call(auth.signOut())}>
          Sign out
        </button>
      </header>
      <Devices current={current} />
      <TwoStep isOn={current.user.twoFactorEnabled === true} />
    </>
  );
}
