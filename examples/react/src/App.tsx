import { useEffect, useState } from "react";
import { Account } from "./Account";
import { auth } from "./auth";
import { Entrance } from "./Entrance";

export function App() {
  const { data, isPending } = auth.useSession();
  // Pending comes again with each look for a session; only the first hides what is there.
  const [isKnown, setKnown] = useState(false);
  useEffect(() => {
    if (!isPending) setKnown(true);
  }, [isPending]);

  if (!isKnown && isPending) return <main aria-busy="true" />;
  return <main>{data ? <Account current={data} /> : <Entrance />}</main>;
}
