// What the database needs, and what runs.
import { Table } from "../parts/table";
import { bytes, day, number } from "../format";
import type { System } from "../pages/system";

export function Tables({ s }: { s: System }) {
  return (
    <section class="card">
      <h2>Largest tables</h2>
      <Table
        caption="Largest tables" empty="None." columns={[{ name: "Table" }, { name: "About rows", number: true }, { name: "Size", number: true }]}
        rows={s.storage.tables.map((t) => ({ key: t.name, cells: [t.name, number(t.rows), bytes(t.bytes)] }))}
      />
    </section>
  );
}

export function Days({ s }: { s: System }) {
  return (
    <section class="card">
      <h2>Events by day</h2>
      <Table
        caption="Events by day" empty="No event in the last 30 days." columns={[{ name: "Day" }, { name: "Events", number: true }, { name: "About size", number: true }]}
        rows={s.storage.days.map((d) => ({ key: d.day, cells: [day(d.day), number(d.events), d.bytes > 0 ? bytes(d.bytes) : "–"] }))}
      />
    </section>
  );
}

export function Versions({ s: { versions: v } }: { s: System }) {
  return (
    <section class="card">
      <h2>Versions</h2>
      <dl>
        <dt>HP Analytics</dt><dd>{v.service}</dd>
        <dt>Schema</dt><dd>{v.schema}</dd>
        <dt>Postgres</dt><dd>{v.postgres}</dd>
        <dt>Redis</dt><dd>{v.redis ?? "does not answer"}</dd>
      </dl>
    </section>
  );
}
