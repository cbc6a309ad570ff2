import { useState } from "react";

type Failure = { message?: string };
type Answer<T> = { data: T; error: null } | { data: null; error: Failure };

/** Calls of the client, for a form or a list: what went wrong last, and whether one is under way. */
export function useCall() {
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);

  /** What the client was answered; null where that was an error, which is then shown. */
  async function call<T>(calling: Promise<Answer<T>>): Promise<T | null> {
    setBusy(true);
    try {
      const answer = await calling;
      setError(answer.error && (answer.error.message ?? "That did not work"));
      return answer.data;
    } catch {
      setError("The server cannot be reached");
      return null;
    } finally {
      setBusy(false);
    }
  }

  return { call, error, isBusy };
}

/** The text fields of a form that is submitted. */
export function fields(form: HTMLFormElement): Record<string, string> {
  return Object.fromEntries(new FormData(form)) as Record<string, string>;
}
