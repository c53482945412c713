// When people are active: a table of weekdays and hours.
import { useState } from "preact/hooks";
import { address, type Answer } from "../api";
import { number } from "../format";
import { useAnswer } from "../load";
import { period, plusDays } from "../period";

type Overview = Answer<"/analytics/overview">;

// longest is for how many days there are hours in one answer.
const longest = 31;

// shades is how many colors there are, without that of nothing.
const shades = 5;

// days are those of the week, from a Monday on.
const days = [..."1234567"].map((d) => new Date(`2024-01-0${d}T00:00:00Z`).toLocaleDateString(undefined, { weekday: "short", timeZone: "UTC" }));

export function Heat() {
  const [shown, setShown] = useState("");
  const p = period.value, first = plusDays(p.to, 1 - longest);
  const from = p.from > first ? p.from : first;
  const loaded = useAnswer<Overview>(address("/analytics/overview", { from, to: p.to, interval: "hour" }));
  const table = averages(loaded.answer);
  const most = Math.max(...table.flat().map((cell) => cell ?? 0));
  const shade = (value: number | null) => (!value ? 0 : Math.max(1, Math.ceil((shades * value) / most)));
  const say = (day: number, hour: number) => `${days[day]} ${String(hour).padStart(2, "0")}:00: ${written(table[day]![hour]!)}`;
  return (
    <section class="card heat" aria-labelledby="heat">
      <h2 id="heat">Events by weekday and hour</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Events by weekday and hour">
        <table onMouseLeave={() => setShown("")}>
          <thead>
            <tr><td />{table[0]!.map((_, hour) => <th key={hour} scope="col">{hour}</th>)}</tr>
          </thead>
          <tbody>
            {table.map((row, day) => (
              <tr key={day}>
                <th scope="row">{days[day]}</th>
                {row.map((value, hour) => (
                  <td key={hour} class={`shade${shade(value)}`} onMouseEnter={() => setShown(say(day, hour))}><span class="heard">{written(value)}</span></td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="legend">
        <span>0</span>
        {[...Array(shades + 1).keys()].map((n) => <span key={n} class={`swatch shade${n}`} />)}
        <span>{loaded.answer ? `${written(most)} in an average hour` : ""}</span>
        <span class="quiet">{shown}</span>
      </p>
      {from !== p.from && <p class="quiet">Of the last {longest} days of the period.</p>}
    </section>
  );
}

const written = (value: number | null): string => (value === null ? "no such hour" : number(value < 10 ? Math.round(value * 10) / 10 : Math.round(value)));

// averages are the events of an average hour, by weekday and hour; null where the days have no complete one. Starts of hours are
// written by the clocks of the project.
function averages(o?: Overview): (number | null)[][] {
  const sum = days.map(() => Array<number>(24).fill(0)), hours = days.map(() => Array<number>(24).fill(0));
  for (const point of o?.points ?? []) {
    if (!point.complete) continue;
    const day = (new Date(point.start.slice(0, 10) + "T00:00:00Z").getUTCDay() + 6) % 7, hour = Number(point.start.slice(11, 13));
    sum[day]![hour]! += point.events ?? 0;
    hours[day]![hour]! += 1;
  }
  return sum.map((row, day) => row.map((events, hour) => (hours[day]![hour]! === 0 ? null : events / hours[day]![hour]!)));
}
