// How fresh the numbers are, and what became of a read that failed.
import { useEffect, useState } from "preact/hooks";
import type { Schemas } from "../api";
import { ago, number } from "../format";
import type { Loaded } from "../load";
import { zone } from "../period";
import { Problem } from "../session";
import { sentence } from "./submit";

// Fresh says of which moment an answer is, and what it does not have yet.
export function Fresh({ loaded }: { loaded: Loaded<{ meta: Schemas["Meta"] }> }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5000);
    return () => clearInterval(timer);
  }, []);
  const meta = loaded.answer?.meta;
  useEffect(() => {
    if (meta) zone.value = meta.time_zone;
  }, [meta?.time_zone]);
  return (
    <>
      <Failure loaded={loaded} />
      <p class="fresh" role="status">
        {meta && (
          <>
            As of {ago(meta.as_of, now)}
            {meta.pending_events > 0 ? `, ${number(meta.pending_events)} stored and not counted yet` : ", with everything that is stored"}
            {meta.failed_events > 0 && `, ${number(meta.failed_events)} that could not be counted (ask an admin)`}. Days of {meta.time_zone}.
          </>
        )}
      </p>
    </>
  );
}

// Failure says why the newest read failed, and whether what is shown is older.
export function Failure({ loaded }: { loaded: Loaded<unknown> }) {
  const { error, answer, retry } = loaded;
  if (!error) return null;
  return (
    <p class="note" role="alert">
      {sentence(error, "see")} {answer !== undefined && "What you see is older."}
      {!(error instanceof Problem && error.status < 500 && error.status !== 429) && <button type="button" onClick={retry}>Try again</button>}
    </p>
  );
}
