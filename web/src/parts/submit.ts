// The state of a form while it is sent, and what the server says is wrong with it.
import { useState } from "preact/hooks";
import { Problem, type FieldError } from "../session";

export interface Submit {
  busy: boolean;
  failure: string; // why it was refused, for the whole form; empty if the fields say it
  errorOf: (pointer: string) => string | undefined; // what is wrong with a field of the body, such as "/name", or inside of it
  run: (work: () => Promise<void>) => Promise<void>;
}

// useSubmit sends a form. The fields named by shown say their errors themselves.
export function useSubmit(shown: string[] = []): Submit {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const run = async (work: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
    } catch (error) {
      setError(error as Error);
    } finally {
      setBusy(false);
    }
  };
  const errors = error instanceof Problem ? error.errors : [];
  const within = (e: FieldError, pointer: string) => e.pointer === pointer || e.pointer.startsWith(pointer + "/");
  const errorOf = (pointer: string) => errors.find((e) => within(e, pointer))?.detail;
  const inFields = errors.length > 0 && errors.every((e) => shown.some((pointer) => within(e, pointer)));
  return { busy, failure: error && !inFields ? sentence(error) : "", errorOf, run };
}

// sentence says why a request failed. A plain Error has a text for people.
export function sentence(error: Error, wish: "do" | "see" = "do"): string {
  if (error instanceof Problem && error.status === 429) return "There were too many attempts. Wait a minute, and try again.";
  if (error instanceof Problem) return error.status === 403 ? `You may not ${wish} this. ${error.message}` : error.message;
  if (error.constructor === Error) return error.message;
  return navigator.onLine ? "The server does not answer." : "You are offline.";
}
