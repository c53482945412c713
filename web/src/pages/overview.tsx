import { useLayoutEffect, useState } from "preact/hooks";
import { address, curl, type Answer, type Schemas } from "../api";
import { useAnnotations } from "../parts/annotations";
import { Copy } from "../parts/copy";
import { Figure } from "../parts/figure";
import { Fresh } from "../parts/fresh";
import { Guide } from "../parts/guide";
import { Heat } from "../parts/heat";
import { PeriodPicker, usePeriodKeys } from "../parts/period";
import { Ranking } from "../parts/ranking";
import { Share } from "../parts/share";
import { SeriesChart } from "../parts/series";
import { TopProducts } from "../parts/top";
import { amount, briefMoney, day, number, share } from "../format";
import { useAnswer } from "../load";
import { before, interval, period, plusDays, today } from "../period";
import { mayManage } from "../rights";
import { go, link, query, same } from "../route";

type Overview = Answer<"/analytics/overview">;
type SeriesPoint = Schemas["SeriesPoint"];

// Measure is a number of the project that has a course.
interface Measure {
  id: string;
  name: string;
  means: string;
  at: (point: SeriesPoint) => number | undefined;
  total: (o: Overview) => number;
  change: (o: Overview) => number | null | undefined;
  write: (value: number) => string;
  brief?: (value: number) => string;
}

const counted: [id: "events" | "views" | "purchases" | "units", name: string, means: string][] = [
  ["events", "Events", "Events of all names. Orders and refunds are not among them."],
  ["views", "Views", "Events named view."],
  ["purchases", "Orders", "Orders that were placed, refunded ones included."],
  ["units", "Units sold", "Units that were bought, before what came back."],
];

// measures are the numbers of an overview; money is one for each currency, because currencies are never added up.
export function measures(o?: Overview): Measure[] {
  const users: Measure = {
    id: "unique_users", name: "Users", means: "Distinct users with an event or an order in all of the days together.",
    at: (p) => p.unique_users, total: (o) => o.totals.unique_users, change: (o) => o.change.unique_users.relative, write: number,
  };
  const counts = counted.map(([id, name, means]): Measure => ({
    id, name, means, at: (p) => p[id], total: (o) => o.totals[id] ?? 0, change: (o) => o.change[id].relative, write: number,
  }));
  const currencies = o?.change.revenue.map((r) => r.currency) ?? [];
  const revenue = currencies.map((currency): Measure => ({
    id: `net_${currency}`, name: `Net revenue, ${currency}`, means: `What was earned in ${currency}, less what was paid back.`,
    at: (p) => p.revenue?.find((r) => r.currency === currency)?.net_minor ?? 0,
    total: (o) => o.totals.revenue?.find((r) => r.currency === currency)?.net_minor ?? 0,
    change: (o) => o.change.revenue.find((r) => r.currency === currency)?.net_minor.relative,
    write: (minor) => amount(minor, currency), brief: (minor) => briefMoney(minor, currency),
  }));
  return [users, ...counts, ...revenue];
}

export function OverviewPage() {
  usePeriodKeys();
  const p = period.value;
  const url = address("/analytics/overview", { from: p.from, to: p.to, interval: interval.value });
  const loaded = useAnswer<Overview>(url);
  const ever = useAnswer<Overview>(empty(loaded.answer) && mayManage.value ? address("/analytics/overview", { from: plusDays(today(), 1 - longest), to: today(), interval: "month" }) : "");
  const undecided = empty(loaded.answer) && mayManage.value && !ever.answer && !ever.error; // whether it was always empty
  const o = undecided ? undefined : loaded.answer;
  const [guided, setGuided] = useState(false);
  useLayoutEffect(() => {
    if (empty(ever.answer)) setGuided(true); // before it is painted, and until the person has seen the event arrive
  }, [ever.answer]);
  const done = () => {
    setGuided(false);
    loaded.retry();
  };
  if (guided) return <><div class="head"><h1>Overview</h1></div><Guide onDone={done} /></>;
  const all = measures(o);
  const chosen = all.find((m) => m.id === query.value.get("metric")) ?? all[interval.value === "hour" ? 1 : 0]!; // users are counted by the day
  return (
    <>
      <div class="head">
        <h1>Overview</h1>
        <div class="pills"><PeriodPicker /><Share name="Overview" report={{ kind: "overview" }} /></div>
      </div>
      <Fresh loaded={loaded} />
      {empty(o) && <Empty />}
      <div class="figures">
        {all.map((m) => (
          <Figure
            key={m.id} name={m.name} title={m.means} pressed={m.id === chosen.id} value={o && (m.id === "unique_users" && !o.totals.unique_users_exact ? "≈ " : "") + m.write(m.total(o))} change={o && m.change(o)}
            partial={o && !o.complete} course={o?.points.map((point) => m.at(point) ?? 0)} onPress={() => go(same({ metric: m.id }))}
          />
        ))}
        {!o && <Figure name="Revenue" />}
        <Figure
          name="Orders per view" title="Orders for each event named view. One person can view often, so it is no share of people."
          value={o && share(o.conversion.purchases_per_view)}
        />
      </div>
      <Course measure={chosen} overview={o} url={url} />
      <Heat />
      <div class="columns">
        <TopProducts />
        <TopEvents />
      </div>
    </>
  );
}

// longest is the greatest range of a report, in days.
const longest = 400;

const empty = (o?: Overview): boolean => o !== undefined && o.totals.events === 0 && o.totals.purchases === 0;

// Course is the main chart, with what the number means.
function Course({ measure, overview, url }: { measure: Measure; overview?: Overview; url: string }) {
  const compare = query.value.get("compare") === "previous";
  const was = before(period.value);
  const earlier = useAnswer<Overview>(compare ? address("/analytics/overview", { from: was.from, to: was.to, interval: interval.value }) : "");
  const annotations = useAnnotations();
  const counted = overview?.points.every((p) => measure.at(p) !== undefined) ?? true;
  return (
    <section class="card" aria-labelledby="course">
      <div class="head">
        <h2 id="course">{measure.name}</h2>
        <div class="pills" role="group" aria-label="Chart">
          {(["hour", "day", "week", "month"] as const).map((name) => (
            <button key={name} type="button" aria-pressed={interval.value === name} onClick={() => go(same({ interval: name }))}>{name}</button>
          ))}
          <button type="button" aria-pressed={compare} onClick={() => go(same({ compare: compare ? "" : "previous" }))}>compare</button>
        </div>
      </div>
      {!counted && <p class="quiet">Users are counted by the day, so hours have none.</p>}
      <SeriesChart name={measure.name} series={overview} before={compare ? earlier.answer : undefined} at={measure.at} write={measure.write} brief={measure.brief} annotations={annotations} />
      {annotations.list}
      <Explain text={measure.means} url={url} overview={overview} />
    </section>
  );
}

// Explain says what a number means and how to ask for it.
function Explain({ text, url, overview }: { text: string; url: string; overview?: Overview }) {
  return (
    <details>
      <summary>What is this number?</summary>
      <dl>
        <dt>Meaning</dt><dd>{text}</dd>
        {overview && <><dt>Days</dt><dd>{day(overview.from)} – {day(overview.to)}, by the clocks of {overview.meta.time_zone}</dd></>}
        {overview && <><dt>Compared with</dt><dd>{day(overview.previous.from)} – {day(overview.previous.to)}</dd></>}
      </dl>
      <Copy label="The same for a terminal" text={curl(url)} />
    </details>
  );
}

function TopEvents() {
  const p = period.value;
  const loaded = useAnswer<Answer<"/analytics/events">>(address("/analytics/events", { from: p.from, to: p.to, limit: 10 }));
  return (
    <section class="card">
      <h2>Events</h2>
      <Ranking
        caption="Events" columns={["Name", "Events", "Users"]} empty="There were no events in these days."
        rows={loaded.answer?.items.map((item) => ({
          key: item.type, name: <a href={link(["events"], { type: item.type })}>{item.type}</a>,
          value: item.events, shown: number(item.events), more: [(item.unique_users_exact ? "" : "≈ ") + number(item.unique_users)],
        }))}
      />
    </section>
  );
}

// Empty is shown for days without anything, in a project that has been used.
function Empty() {
  return (
    <section class="card">
      <h2>Nothing was counted in these days</h2>
      <p>Choose other days above. What is sent now is here a moment later.</p>
    </section>
  );
}
