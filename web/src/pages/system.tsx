import { useEffect, useState } from "preact/hooks";
import { address, type Answer } from "../api";
import { Figure } from "../parts/figure";
import { Failure } from "../parts/fresh";
import { NoRights } from "../parts/norights";
import { ago, bytes, number, share, span } from "../format";
import { useAnswer } from "../load";
import { isAdmin } from "../rights";
import { Findings } from "../system/findings";
import { Backlog, Caches, Queue, Workers } from "../system/work";
import { Erasures, Reconciles, ZoneChanges } from "../system/numbers";
import { Days, Tables, Versions } from "../system/storage";

export type System = Answer<"/system">;

export function SystemPage() {
  return isAdmin.value ? <System /> : <NoRights title="System">Only admins of the installation see its state.</NoRights>;
}

function System() {
  const loaded = useAnswer<System>(address("/system", undefined));
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5000);
    return () => clearInterval(timer);
  }, []);
  const s = loaded.answer;
  return (
    <>
      <div class="head">
        <h1>System</h1>
        <button type="button" onClick={loaded.retry}>Refresh</button>
      </div>
      <Failure loaded={loaded} />
      <p class="fresh" role="status">{s && `As of ${ago(s.as_of, now)}, all projects together.`}</p>
      <Figures s={s} />
      {s && (
        <>
          <Findings of={s.findings} />
          <div class="columns"><Backlog s={s} /><Workers s={s} /></div>
          <div class="columns"><Queue s={s} /><Caches s={s} /></div>
          <Reconciles s={s} />
          <div class="columns"><Erasures s={s} /><ZoneChanges s={s} /></div>
          <div class="columns"><Tables s={s} /><Days s={s} /></div>
          <Versions s={s} />
        </>
      )}
    </>
  );
}

function Figures({ s }: { s?: System }) {
  const oldest = s?.pending.oldest_at, c = s?.caches, cached = c && c.process + c.redis + c.shared, all = cached !== undefined && c ? cached + c.computed : 0;
  const unknown = "–"; // Redis does not answer
  return (
    <div class="figures">
      <Figure name="Pending rows" title="Stored, and not in the numbers yet." value={s && number(s.pending.rows)} />
      <Figure name="The oldest waits" title="How long the oldest pending batch has waited." value={s && (oldest ? span((Date.parse(s.as_of) - Date.parse(oldest)) / 1000) : "nothing waits")} />
      <Figure name="Failed batches" title="Set aside, because folding them fails." value={s && number(s.failed.batches)} />
      <Figure name="Aggregators" title="Processes that take tasks and gave a sign of life." value={s && (s.workers ? number(s.workers.length) : unknown)} />
      <Figure name="Queue, as the autoscaler sees it" title="Tasks that wait or run. The HPA goes by them." value={s && (s.queue ? number(s.queue.backlog) : unknown)} />
      <Figure name="Answers from caches" title="Of this process of analytics, since it started." value={s && (all > 0 ? share((cached ?? 0) / all) : unknown)} />
      <Figure name="Database" title="All tables with their indexes." value={s && bytes(s.storage.bytes)} />
    </div>
  );
}
