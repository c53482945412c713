import type { Schemas } from "../api";
import { number } from "../format";

// ZoneChange says how far a change of the time zone is.
export function ZoneChange({ change: c }: { change: Schemas["TimeZoneChange"] }) {
  const kept = c.days_kept > 0 ? ` ${number(c.days_kept)} earlier days stay with their former zone, because their raw events are gone.` : "";
  if (c.state === "done") return <p class="quiet">Days and hours were moved from {c.from} to {c.to}.{kept}</p>;
  return (
    <section class="card" aria-label="Change of the time zone">
      <h2>Moving days from {c.from} to {c.to}</h2>
      <progress aria-label="Days that are moved" value={c.days_done} max={Math.max(c.days_total, 1)} />
      <p role="status">{c.state === "waiting" ? "The first days are moved soon." : `${number(c.days_done)} of ${number(c.days_total)} days are moved.`}{kept}</p>
      {c.state === "failing" && <p class="note" role="alert">The last step failed and is tried again. If this stays, an admin sees the reason on the page System.</p>}
    </section>
  );
}
