// What an alert has found: a chart with the expected range, and the same as a table.
import { address, type Answer } from "../api";
import { Failure } from "../parts/fresh";
import { Table } from "../parts/table";
import { useAnswer } from "../load";
import { days, expected, found, valueOf, type Alert, type Evaluation } from "./alert";

const columns = [{ name: "Period" }, { name: "State" }, { name: "Value" }, { name: "Expected" }, { name: "Notification" }];

export function AlertHistory({ alert }: { alert: Alert }) {
  const loaded = useAnswer<Answer<"/alerts/{id}/evaluations">>(address("/alerts/{id}/evaluations", undefined, { id: alert.id }));
  const items = loaded.answer?.items;
  return (
    <section class="card steady" aria-label={`History of ${alert.name}`}>
      <h2>History of {alert.name}</h2>
      <Failure loaded={loaded} />
      {items && <Chart alert={alert} evaluations={items.toReversed()} />}
      <Table
        caption={`Evaluations of ${alert.name}`} columns={columns} empty="Nothing was evaluated yet: the first period is not over."
        rows={items?.map((e) => {
          const [state, more] = found(alert, e);
          return {
            key: e.id,
            cells: [days(e), state, e.state === "evaluated" ? more : <span class="quiet">{more}</span>, expected(alert, e), e.delivery ? `${e.delivery.state}${e.delivery.failure === "" ? "" : `: ${e.delivery.failure}`}` : ""],
          };
        })}
      />
    </section>
  );
}

const wide = 600, high = 120, edge = 6;

// Chart draws values as a line, those that fired as dots, and the range in which nothing fires as a band.
function Chart({ alert, evaluations }: { alert: Alert; evaluations: Evaluation[] }) {
  const known = evaluations.filter((e) => e.value !== null);
  if (known.length < 2) return null;
  const all = known.flatMap((e) => [e.value!, e.low ?? e.value!, e.high ?? e.value!]);
  const least = Math.min(0, ...all), most = Math.max(least + 1e-9, ...all);
  const x = (i: number) => (edge + ((wide - 2 * edge) * i) / (known.length - 1)).toFixed(1);
  const y = (value: number) => (high - edge - ((high - 2 * edge) * (value - least)) / (most - least)).toFixed(1);
  const band = [...known.map((e, i) => `${x(i)},${y(e.high ?? most)}`), ...known.map((e, i) => `${x(i)},${y(e.low ?? least)}`).reverse()].join(" ");
  const fired = known.filter((e) => e.fired).length;
  return (
    <>
      <svg class="history" viewBox={`0 0 ${wide} ${high}`} role="img" aria-label={`${known.length} values from ${days(known[0]!)} to ${days(known.at(-1)!)}; ${fired} fired. The table has them.`}>
        {known.some((e) => e.low !== null || e.high !== null) && <polygon points={band} />}
        <polyline points={known.map((e, i) => `${x(i)},${y(e.value!)}`).join(" ")} />
        {known.map((e, i) => e.fired && <circle key={e.id} cx={x(i)} cy={y(e.value!)} r="4"><title>{`${days(e)}: ${valueOf(alert, e.value!)}`}</title></circle>)}
      </svg>
      <p class="quiet">The line has the values, the band is the expected range, and dots are values that fired.</p>
    </>
  );
}
