// Whether the numbers are proven, and what changes them.
import { Table } from "../parts/table";
import { number } from "../format";
import type { System } from "../pages/system";

const moment = (time: string): string => new Date(time).toLocaleString();

export function Reconciles({ s }: { s: System }) {
  return (
    <section class="card">
      <h2>Last reconciles</h2>
      <Table
        caption="Last reconciles" empty="No project was recounted as a whole yet: run hp-analytics reconcile every night."
        columns={[{ name: "Project" }, { name: "Done" }, { name: "Days", number: true }, { name: "Raw rows", number: true }, { name: "Differences", number: true }]}
        rows={s.reconciles.map((r) => ({ key: r.project, cells: [r.project, moment(r.finished_at), number(r.days), number(r.rows), number(r.differences)] }))}
      />
    </section>
  );
}

export function Erasures({ s }: { s: System }) {
  return (
    <section class="card">
      <h2>Erasures in progress</h2>
      <Table
        caption="Erasures in progress" empty="None." columns={[{ name: "Project" }, { name: "Asked for" }, { name: "State" }]}
        rows={s.erasures.items.map((e) => ({ key: e.id, cells: [e.project, moment(e.requested_at), `${e.state}, next: ${e.phase}${e.held_by > 0 ? `, held up by ${number(e.held_by)} failed batches` : ""}${e.failing ? ", the last attempt failed" : ""}`] }))}
      />
      {s.erasures.open > s.erasures.items.length && <p class="quiet">The oldest of {number(s.erasures.open)}.</p>}
    </section>
  );
}

export function ZoneChanges({ s }: { s: System }) {
  return (
    <section class="card">
      <h2>Changes of time zones</h2>
      <Table
        caption="Changes of time zones" empty="None." columns={[{ name: "Project" }, { name: "Change" }, { name: "Days", number: true }]}
        rows={s.zone_changes.map((c) => ({ key: c.project, cells: [c.project, `${c.from} to ${c.to}${c.failing ? ", the last step failed" : ""}`, `${number(c.days_done)} of ${number(c.days_total)}`] }))}
      />
    </section>
  );
}
