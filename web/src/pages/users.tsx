import { useState } from "preact/hooks";
import { address, type Answer, type Schemas } from "../api";
import { Failure, Fresh } from "../parts/fresh";
import { PeriodPicker, usePeriodKeys } from "../parts/period";
import { Ranking } from "../parts/ranking";
import { Table } from "../parts/table";
import { number } from "../format";
import { when } from "../history/items";
import { settled, useAnswer, type Loaded } from "../load";
import { period } from "../period";
import { isOwner, mayReadUsers } from "../rights";
import { go, link, query } from "../route";

export function UsersPage() {
  return mayReadUsers.value ? <Users /> : <><h1>Users</h1><p class="note">Only analysts and owners of the project see users.</p></>;
}

function Users() {
  usePeriodKeys();
  const p = period.value, cursor = (name: string) => query.value.get(name) ?? undefined;
  const busiest = useAnswer<Answer<"/analytics/users/top">>(address("/analytics/users/top", { metric: "events", from: p.from, to: p.to, limit: 20 }));
  const erasures = useAnswer<Answer<"/erasures">>(isOwner.value ? address("/erasures", { limit: 20, cursor: cursor("erasures") }) : "");
  const exports = useAnswer<Answer<"/exports">>(isOwner.value ? address("/exports", { limit: 20, cursor: cursor("exports") }) : "");
  const first = settled(busiest) && isOwner.value;
  return (
    <>
      <div class="head">
        <h1>Users</h1>
        <PeriodPicker />
      </div>
      <Find />
      <Busiest loaded={busiest} />
      {first && <Erasures loaded={erasures} />}
      {first && settled(erasures) && <Exports loaded={exports} />}
    </>
  );
}

function Find() {
  const [id, setId] = useState("");
  const find = (event: SubmitEvent) => {
    event.preventDefault();
    if (id.trim() !== "") go(link(["users", id.trim()]));
  };
  return (
    <form class="pills filters" role="search" onSubmit={find}>
      <input type="search" aria-label="Id of a user" placeholder="Id of a user, as events carry it" size={32} maxLength={200} value={id} onInput={(event) => setId(event.currentTarget.value)} />
      <button>Show</button>
    </form>
  );
}

function Busiest({ loaded }: { loaded: Loaded<Answer<"/analytics/users/top">> }) {
  return (
    <>
      <Fresh loaded={loaded} />
      <section class="card">
        <h2>Users with the most events</h2>
        <Ranking
          caption="Users with the most events" columns={["User", "Events", "Orders"]} empty="No user has an event in these days."
          rows={loaded.answer?.items.map((item) => ({
            key: item.user_id ?? `visitor ${item.anonymous_id}`, value: item.value, shown: number(item.value), more: [number(item.counts.purchases ?? 0)],
            name: item.user_id === undefined ? <span class="quiet">visitor {item.anonymous_id}</span> : <a href={link(["users", item.user_id])}>{item.user_id}</a>,
          }))}
        />
      </section>
    </>
  );
}

function Erasures({ loaded }: { loaded: Loaded<Answer<"/erasures">> }) {
  return (
    <section class="card">
      <h2>Receipts of erasures</h2>
      <Failure loaded={loaded} />
      <Table
        caption="Receipts of erasures" cursor="erasures" next={loaded.answer?.next_cursor} empty="No user was erased."
        columns={[{ name: "Requested" }, { name: "State" }, { name: "Receipt" }, { name: "Requested by" }, { name: "Rows removed", number: true }]}
        rows={loaded.answer?.items.map((e) => ({ key: e.id, cells: [when(e.requested_at), state(e), e.id, e.requested_by, number(sum(e.removed))] }))}
      />
    </section>
  );
}

// state says how far an erasure is, and what holds it up.
function state(e: Schemas["Erasure"]): string {
  if (e.held_by.length > 0) return `${e.state}, held up by ${number(e.held_by.length)} failed batches`;
  return e.failing ? `${e.state}, the last attempt failed` : e.state;
}

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, n) => sum + n, 0);

function Exports({ loaded }: { loaded: Loaded<Answer<"/exports">> }) {
  return (
    <section class="card">
      <h2>Receipts of exports</h2>
      <Failure loaded={loaded} />
      <Table
        caption="Receipts of exports" cursor="exports" next={loaded.answer?.next_cursor} empty="No user was exported."
        columns={[{ name: "Requested" }, { name: "State" }, { name: "Receipt" }, { name: "Requested by" }, { name: "Lines", number: true }, { name: "SHA-256" }]}
        rows={loaded.answer?.items.map((e) => ({
          key: e.id, cells: [when(e.requested_at), e.finished_at === null ? "not finished" : "done", e.id, e.requested_by, number(e.lines), e.sha256],
        }))}
      />
    </section>
  );
}
