// What waits, and who works it off.
import { Table } from "../parts/table";
import { number, span } from "../format";
import type { System } from "../pages/system";

const age = (s: System, at: string): string => span((Date.parse(s.as_of) - Date.parse(at)) / 1000);
const away = <p class="quiet">Redis does not answer, so this is not known.</p>;

export function Backlog({ s }: { s: System }) {
  return (
    <section class="card">
      <h2>Backlog</h2>
      <p class="quiet">{number(s.pending.batches)} batches wait. Lanes that fold now: {number(s.pending.lanes)}.</p>
      <Table
        caption="Backlog" columns={[{ name: "Project" }, { name: "Batches", number: true }, { name: "Rows", number: true }, { name: "Oldest", number: true }]} empty="Nothing waits."
        rows={s.pending.projects.map((p) => ({ key: p.project, cells: [p.project, number(p.batches), number(p.rows), age(s, p.oldest_at)] }))}
      />
      {s.failed.batches > 0 && (
        <>
          <h3>Failed batches</h3>
          <Table
            caption="Failed batches" columns={[{ name: "Project" }, { name: "Batch", number: true }, { name: "Rows", number: true }, { name: "Received", number: true }]} empty=""
            rows={s.failed.items.map((b) => ({ key: String(b.id), cells: [`${b.project}, ${b.kind}`, String(b.id), number(b.rows), `${age(s, b.received_at)} ago`] }))}
          />
        </>
      )}
    </section>
  );
}

export function Workers({ s }: { s: System }) {
  return (
    <section class="card">
      <h2>Aggregators</h2>
      {!s.workers ? away : (
        <Table
          caption="Aggregators" columns={[{ name: "Host" }, { name: "State" }, { name: "Busy", number: true }, { name: "Runs for", number: true }]} empty="No aggregator takes tasks."
          rows={s.workers.map((w) => ({ key: `${w.host} ${w.pid}`, cells: [`${w.host}, process ${w.pid}`, w.status, `${w.busy} of ${w.concurrency}`, age(s, w.started_at)] }))}
        />
      )}
    </section>
  );
}

export function Queue({ s }: { s: System }) {
  const q = s.queue;
  return (
    <section class="card">
      <h2>Queue</h2>
      {!q ? away : (
        <dl>
          <dt>Name</dt><dd>{q.name}{q.paused && " (paused)"}</dd>
          <dt>The autoscaler sees</dt><dd>{number(q.backlog)} tasks</dd>
          <dt>Waiting</dt><dd>{number(q.waiting)}{q.waiting > 0 && `, the oldest for ${span(q.oldest_seconds)}`}</dd>
          <dt>Running</dt><dd>{number(q.active)}</dd>
          <dt>Tried again</dt><dd>{number(q.retried)}</dd>
          <dt>Given up</dt><dd>{number(q.archived)}</dd>
          <dt>Today, in UTC</dt><dd>{number(q.done_today)} done, {number(q.failed_today)} of them failed</dd>
        </dl>
      )}
    </section>
  );
}

export function Caches({ s: { caches: c } }: { s: System }) {
  return (
    <section class="card">
      <h2>Answers about numbers</h2>
      <p class="quiet">Where they came from, since this process of analytics began. Other replicas have their own.</p>
      <dl>
        <dt>Its memory</dt><dd>{number(c.process)}</dd>
        <dt>Redis</dt><dd>{number(c.redis)}</dd>
        <dt>Shared with another request</dt><dd>{number(c.shared)}</dd>
        <dt>Computed</dt><dd>{number(c.computed)}</dd>
      </dl>
    </section>
  );
}
