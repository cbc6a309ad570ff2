import { useCallback, useEffect, useState } from "react";
import { auth, type Session } from "./auth";
import { useCall } from "./call";
import { device } from "./device";

type Row = Session["session"];

/** Where the user is signed in. Revoking a device signs it out at once, whatever it is doing. */
export function Devices({ current }: { current: Session }) {
  const [rows, setRows] = useState<Row[]>([]);
  const { call, error, isBusy } = useCall();
  const { refetch } = auth.useSession();
  const currentId = current.session.id;

  const load = useCallback(async () => {
    const { data, error } = await auth.listSessions();
    if (data) setRows(data);
    else if (error.status === 401) refetch(); // revoked elsewhere: the page learns of it here
  }, [refetch]);

  useEffect(() => {
    load();
    const look = () => void (document.visibilityState === "visible" && load());
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, [load, currentId]);

  async function end(calling: ReturnType<typeof auth.revokeSession>) {
    await call(calling);
    await load();
  }

  return (
    <section className="card" aria-labelledby="devices">
      <div className="row">
        <h2 id="devices">Your devices</h2>
        <button className="link" onClick={load}>
          Refresh
        </button>
      </div>
      <ul>
        {rows.map((row) => (
          <li key={row.id} className="row">
            <div>
              <strong>{device(row.userAgent)}</strong>
              {row.id === currentId && <span className="badge">This device</span>}
              <p className="quiet">
                {row.ipAddress} · signed in <time>{row.createdAt.toLocaleString()}</time>
              </p>
            </div>
            {row.id !== currentId && (
              <button
                disabled={isBusy}
                aria-label={`Sign out ${device(row.userAgent)}`}
                onClick={() => end(auth.revokeSession({ token: row.token }))}
              >
                Sign out
              </button>
            )}
          </li>
        ))}
      </ul>
      {error && <p role="alert">{error}</p>}
      {rows.length > 1 && (
        <button
          className="danger"
          disabled={isBusy}
          onClick={() => end(auth.revokeOtherSessions())}
        >
          Sign out of all other devices
        </button>
      )}
    </section>
  );
}
