// A report that somebody shared by a link: its numbers and its chart, without an account.
import { useEffect, useState } from "preact/hooks";
import { address, type Answer, type Schemas } from "../api";
import { Field } from "../parts/field";
import { Figure } from "../parts/figure";
import { Fresh } from "../parts/fresh";
import { SeriesChart } from "../parts/series";
import { sentence } from "../parts/submit";
import { day } from "../format";
import { useAnswer } from "../load";
import { measures as productMeasures } from "../products/measures";
import { go, query, same } from "../route";
import { Problem } from "../session";
import { openLink } from "../shared";
import { measures } from "./overview";

type Report = Schemas["SharedReport"];

export function SharedPage() {
  const [report, setReport] = useState<Report>();
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(true);
  const open = async (password?: string): Promise<void> => {
    setBusy(true);
    try {
      setReport(await openLink(password));
    } catch (error) {
      setError(error as Error);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => void open(), []);
  useEffect(() => {
    document.title = `${report?.name ?? "Shared report"} · HP Analytics`;
  }, [report]);
  if (report) return <main class="shared"><Shown report={report} /></main>;
  if (!error) return null;
  const code = error instanceof Problem ? error.code : "";
  return (
    <main class="signin">
      <h1>Shared report</h1>
      {code === "share_password_required" || code === "wrong_share_password" ? (
        <Password busy={busy} error={code === "wrong_share_password" ? error.message : undefined} onSend={(password) => void open(password)} />
      ) : (
        <p class="note" role="alert">
          {error instanceof Problem ? error.message : sentence(error)}
          {code !== "unknown_share_link" && code !== "share_link_expired" && <button type="button" disabled={busy} onClick={() => void open()}>Try again</button>}
        </p>
      )}
    </main>
  );
}

function Password({ busy, error, onSend }: { busy: boolean; error?: string; onSend: (password: string) => void }) {
  const [password, setPassword] = useState("");
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    onSend(password);
  };
  return (
    <form onSubmit={send}>
      <Field label="Password of the link" help="Whoever sent the link knows it." error={error}>
        {(wired) => <input {...wired} type="password" name="password" required autocomplete="off" value={password} onInput={(event) => setPassword(event.currentTarget.value)} />}
      </Field>
      <button class="primary" disabled={busy}>Show the report</button>
    </form>
  );
}

function Shown({ report }: { report: Report }) {
  const r = report.report;
  const days = r.days === undefined ? `${day(r.from!)} – ${day(r.to!)}` : r.days === 1 ? "Today" : `The last ${r.days} days`;
  return (
    <>
      <div class="head">
        <h1>{report.name}</h1>
        <span class="quiet">{report.project_name} · {days}</span>
      </div>
      {r.kind === "overview" ? <SharedOverview /> : <SharedProduct />}
    </>
  );
}

// choose changes the number in the chart. The link stays in the address.
const choose = (metric: string) => go(same({ metric }) + location.hash, true);

function SharedOverview() {
  const loaded = useAnswer<Answer<"/analytics/shared/overview">>(address("/analytics/shared/overview", undefined));
  const o = loaded.answer;
  const all = measures(o);
  const chosen = all.find((m) => m.id === query.value.get("metric")) ?? all[0]!;
  return (
    <>
      <Fresh loaded={loaded} />
      <div class="figures">
        {all.map((m) => (
          <Figure
            key={m.id} name={m.name} title={m.means} pressed={m.id === chosen.id} value={o && m.write(m.total(o))} change={o && m.change(o)}
            partial={o && !o.complete} course={o?.points.map((point) => m.at(point) ?? 0)} onPress={() => choose(m.id)}
          />
        ))}
      </div>
      <section class="card" aria-label={chosen.name}>
        <h2>{chosen.name}</h2>
        <SeriesChart name={chosen.name} series={o} at={chosen.at} write={chosen.write} fixed />
      </section>
    </>
  );
}

function SharedProduct() {
  const loaded = useAnswer<Answer<"/analytics/shared/product">>(address("/analytics/shared/product", undefined));
  const series = loaded.answer;
  const all = productMeasures(series);
  const chosen = all.find((m) => m.id === query.value.get("metric")) ?? all[0]!;
  return (
    <>
      <p>{series?.product.name} <span class="quiet">{series?.product.sku}</span></p>
      <Fresh loaded={loaded} />
      <div class="figures">
        {all.map((m) => (
          <Figure
            key={m.id} name={m.name} title={m.means} pressed={m.id === chosen.id} value={series && m.write(m.at(series.totals) ?? 0)}
            course={series?.points.map((point) => m.at(point) ?? 0)} onPress={() => choose(m.id)}
          />
        ))}
      </div>
      <section class="card" aria-label={chosen.name}>
        <h2>{chosen.name}</h2>
        <SeriesChart name={chosen.name} series={series} at={chosen.at} write={chosen.write} fixed />
      </section>
    </>
  );
}
