import { useState } from "preact/hooks";
import { address, authorized, filled, send, type Answer } from "../api";
import { Confirm } from "../parts/dialog";
import { download } from "../parts/download";
import { Figure } from "../parts/figure";
import { Failure, Fresh } from "../parts/fresh";
import { PeriodPicker, usePeriodKeys } from "../parts/period";
import { useSubmit } from "../parts/submit";
import { Table } from "../parts/table";
import { say } from "../parts/toast";
import { amount, day, number } from "../format";
import { Properties, what, when } from "../history/items";
import { settled, useAnswer, type Loaded } from "../load";
import { period } from "../period";
import { isOwner, mayReadUsers } from "../rights";
import { go, link, query } from "../route";

type Summary = Answer<"/analytics/users/{id}/summary">;

const counts: [id: "events" | "views" | "clicks" | "add_to_carts" | "purchases" | "units", name: string][] = [
  ["events", "Events"], ["views", "Views"], ["clicks", "Clicks"], ["add_to_carts", "Put into a cart"], ["purchases", "Orders"], ["units", "Units"],
];

export function UserPage({ id }: { id: string }) {
  usePeriodKeys();
  const p = period.value;
  const loaded = useAnswer<Summary>(mayReadUsers.value ? address("/analytics/users/{id}/summary", { from: p.from, to: p.to }, { id }) : "");
  const timeline = useAnswer<Answer<"/users/{id}/events">>(
    mayReadUsers.value ? address("/users/{id}/events", { from: p.from, to: p.to, limit: 50, cursor: query.value.get("cursor") ?? undefined }, { id }) : "",
  );
  const summary = loaded.answer;
  if (!mayReadUsers.value) return <><h1>{id}</h1><p class="note">Only analysts and owners of the project see users.</p></>;
  return (
    <>
      <div class="head">
        <h1>{id}</h1>
        {isOwner.value && <Privacy id={id} />}
      </div>
      <div class="head"><PeriodPicker /></div>
      <Fresh loaded={loaded} />
      <div class="figures">
        {counts.map(([id, name]) => <Figure key={id} name={name} value={summary && number(summary.totals[id] ?? 0)} course={summary?.days.map((d) => d[id])} />)}
        {summary?.totals.revenue?.map((r) => <Figure key={r.currency} name={`Revenue in ${r.currency}`} value={amount(r.net_minor, r.currency)} />)}
      </div>
      {settled(loaded) && <Timeline loaded={timeline} />}
      {settled(loaded) && settled(timeline) && <Days summary={summary} />}
    </>
  );
}

function Timeline({ loaded }: { loaded: Loaded<Answer<"/users/{id}/events">> }) {
  const { items, next_cursor: next } = loaded.answer ?? {};
  return (
    <section class="card steady">
      <h2>Timeline</h2>
      <Failure loaded={loaded} />
      <Table
        caption="Timeline" next={next} columns={[{ name: "Time" }, { name: "What" }, { name: "Product" }, { name: "Properties" }]}
        empty={next ? "Nothing on this page; earlier pages have more." : "Nothing is stored in these days. Raw events are kept for a limited time."}
        rows={items?.map((item) => {
          const [name, content, properties] = what(item);
          return { key: (item.event ?? item.order ?? item.refund)!.id, cells: [when(item.ts), name, content, <Properties of={properties} />] };
        })}
      />
    </section>
  );
}

function Days({ summary }: { summary?: Summary }) {
  const money = (d: Summary["days"][number]) => d.revenue.map((r) => amount(r.net_minor, r.currency)).join(" · ") || "–";
  return (
    <section class="card">
      <h2>Days</h2>
      <Table
        caption="Days" empty="Nothing was counted in these days."
        columns={[{ name: "Day" }, ...counts.map(([, name]) => ({ name, number: true })), { name: "Revenue", number: true }]}
        rows={summary?.days.toReversed().map((d) => ({ key: d.day, cells: [day(d.day), ...counts.map(([id]) => number(d[id])), money(d)] }))}
      />
    </section>
  );
}

// Privacy has what an owner does when a person asks for its data, or to be forgotten.
function Privacy({ id }: { id: string }) {
  const [erasing, setErasing] = useState(false);
  const submit = useSubmit();
  const save = () => submit.run(async () => {
    const content = await (await authorized(filled("/users/{id}/export", {}, { id }), { headers: { Accept: "application/x-ndjson" } })).blob();
    if (!(await isWhole(content))) throw new Error("The export was cut before its end.");
    download(`user-${id.replace(/[^\p{L}\p{N}._-]/gu, "_")}.ndjson`, content);
    say("The export is saved. Its receipt is among those of exports.");
  });
  const erase = async () => {
    const receipt = await send("delete", "/users/{id}", { places: { id } });
    say(`The erasure is requested. Its receipt is ${receipt.id}.`);
    go(link(["users"]));
  };
  return (
    <div class="pills">
      <button type="button" disabled={submit.busy} onClick={() => void save()}>{submit.busy ? "Exporting…" : "Export"}</button>
      <button type="button" onClick={() => setErasing(true)}>Erase</button>
      {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
      {erasing && (
        <Confirm title={`Erase ${id}?`} action="Erase for ever" typed={id} onConfirm={erase} onClose={() => setErasing(false)}>
          <p>
            Everything that leads to this user is removed, with all ids that were identified as the same person. Sums and orders stay, as those of nobody. This cannot be undone;
            export first what you have to keep.
          </p>
        </Confirm>
      )}
    </div>
  );
}

// isWhole is whether an export ends with its receipt. One that was cut has none.
async function isWhole(content: Blob): Promise<boolean> {
  const last = (await content.slice(-65_536).text()).trimEnd().split("\n").at(-1) ?? "";
  try {
    return (JSON.parse(last) as { kind?: string }).kind === "receipt";
  } catch {
    return false;
  }
}
