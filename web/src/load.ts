// Answers that a page shows and keeps fresh.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { get } from "./api";
import { here, project } from "./route";
import { Problem } from "./session";

// missing is the page whose last read named something that there is not; empty if there was none.
export const missing = signal("");

// Loaded is what is known of an address: the newest answer, which may be of a moment ago, and why a newer one did not come.
export interface Loaded<A> {
  answer?: A;
  error?: Error;
  loading: boolean;
  retry: () => void;
}

// settled is whether an address was read, or could not be. What stands below a list of unknown length is drawn then, so that it does not move.
export const settled = (loaded: Loaded<unknown>): boolean => loaded.answer !== undefined || loaded.error !== undefined;

// refreshEvery is the time between two reads of the same address, in milliseconds.
const refreshEvery = 15_000;

// useAnswer reads an address now, and again while the page is visible. An empty address is not read.
export function useAnswer<A>(url: string): Loaded<A> {
  const key = project.value + " " + url;
  const [state, setState] = useState<{ key: string; answer?: A; error?: Error; loading: boolean }>({ key, loading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (url === "") return;
    const stop = new AbortController();
    let pending = false;
    const read = async (): Promise<void> => {
      if (pending) return; // an older answer must not replace a newer one
      pending = true;
      try {
        const answer = await get<A>(url, stop.signal);
        setState({ key, answer, loading: false });
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error instanceof Problem && error.status === 404) missing.value = here.value;
        setState((old) => ({ key, answer: old.key === key ? old.answer : undefined, error: error as Error, loading: false }));
      } finally {
        pending = false;
      }
    };
    void read();
    const timer = setInterval(() => {
      if (!document.hidden) void read();
    }, refreshEvery);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [key, round]);
  // An answer of another address is not shown.
  const known = state.key === key ? state : { loading: url !== "" };
  return { ...known, retry: () => setRound(round + 1) };
}
