import { address, type Answer } from "../api";
import { Fresh } from "../parts/fresh";
import { PeriodPicker, usePeriodKeys } from "../parts/period";
import { Ranking } from "../parts/ranking";
import { SeriesChart } from "../parts/series";
import { number } from "../format";
import { RawEvents } from "../history/raw";
import { useAnswer } from "../load";
import { interval, period } from "../period";
import { mayReadUsers } from "../rights";
import { query, same } from "../route";

export function EventsPage() {
  usePeriodKeys();
  const p = period.value;
  const loaded = useAnswer<Answer<"/analytics/events">>(address("/analytics/events", { from: p.from, to: p.to, limit: 100, cursor: query.value.get("cursor") ?? undefined }));
  const names = loaded.answer;
  const type = query.value.get("type") ?? names?.items[0]?.type ?? "";
  return (
    <>
      <div class="head">
        <h1>Events</h1>
        <PeriodPicker />
      </div>
      <Fresh loaded={loaded} />
      {type !== "" ? <Series type={type} /> : names === undefined && <section class="card"><h2><span class="skeleton" /></h2><div class="chart" /></section>}
      <section class="card">
        <h2>Names</h2>
        <Ranking
          caption="Names of events" columns={["Name", "Events", "Users"]} empty="There were no events in these days."
          rows={names?.items.map((item) => ({
            key: item.type, value: item.events, shown: number(item.events), more: [(item.unique_users_exact ? "" : "≈ ") + number(item.unique_users)],
            name: <a href={same({ type: item.type, raw: "" })} aria-current={item.type === type ? "true" : undefined}>{item.type}</a>,
          }))}
        />
        {names?.next_cursor && <p><a href={same({ cursor: names.next_cursor })}>Next page</a></p>}
      </section>
      {mayReadUsers.value ? <RawEvents /> : <p class="quiet">Only analysts and owners of the project see single events.</p>}
    </>
  );
}

function Series({ type }: { type: string }) {
  const p = period.value;
  const loaded = useAnswer<Answer<"/analytics/events/timeseries">>(address("/analytics/events/timeseries", { type, from: p.from, to: p.to, interval: interval.value }));
  return (
    <section class="card" aria-label={type}>
      <h2>{type}</h2>
      {loaded.answer?.points.every((point) => point.events === 0) && <p class="quiet">There were no such events in these days.</p>}
      <SeriesChart name={type} series={loaded.answer} at={(point) => point.events} />
    </section>
  );
}
