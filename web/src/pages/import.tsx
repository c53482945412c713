import { useEffect, useRef, useState } from "preact/hooks";
import { number } from "../format";
import { Columns } from "../imports/columns";
import { decode, rows, separatorOf, type Row } from "../imports/csv";
import { flaw, guess, type Plan } from "../imports/mapping";
import { Refusals } from "../imports/refusals";
import { check, nothing, run, type Checked, type Progress } from "../imports/run";
import { sentence } from "../parts/submit";
import { isArchived, mayManage } from "../rights";
import { link } from "../route";

interface Opened { id: number; name: string; rows: Row[]; plan: Plan }

export function ImportPage() {
  const [opened, setOpened] = useState<Opened>();
  const [failure, setFailure] = useState("");
  const open = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    setOpened(undefined);
    try {
      const text = decode(await file.arrayBuffer()), [headings, ...rest] = [...rows(text, separatorOf(text))];
      setFailure(rest.length === 0 ? `${file.name} has no rows below the headings.` : "");
      if (!headings || rest.length === 0) return;
      const names = headings.cells.map((name) => name.trim());
      setOpened({ id: Date.now(), name: file.name, rows: rest, plan: { headings: names, targets: guess(names), currency: "" } });
    } catch {
      setFailure(`${file.name} cannot be read.`);
    }
  };
  return (
    <>
      <div class="head">
        <h1>Import products</h1>
        <a href={link(["products"])}>Products</a>
      </div>
      {mayManage.value ? (
        <section class="card">
          <label class="field">
            A CSV file whose first line has the headings
            <input
              type="file" accept=".csv,.tsv,.txt,text/csv" onChange={(event) => void open(event.currentTarget.files?.[0])}
              onClick={(event) => (event.currentTarget.value = "")} // so that a file can be chosen again after it was corrected
            />
          </label>
          <p class="quiet">A row with a new SKU creates a product; it needs a name, a price and a currency. A row with a known SKU changes that product. Empty cells change nothing.</p>
          {failure !== "" && <p class="note" role="alert">{failure}</p>}
        </section>
      ) : !isArchived.value && <p class="note">Only owners of the project import products.</p>}
      {opened && <Import key={opened.id} opened={opened} onPlan={(plan) => setOpened({ ...opened, plan })} />}
    </>
  );
}

function Import({ opened, onPlan }: { opened: Opened; onPlan: (plan: Plan) => void }) {
  const { plan } = opened, wrong = flaw(plan);
  const [checked, setChecked] = useState<Checked>();
  const [progress, setProgress] = useState<Progress>();
  const [failure, setFailure] = useState("");
  const running = useRef<AbortController>(undefined);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const stop = new AbortController();
    setChecked(undefined);
    if (wrong === "") check(plan, opened.rows, stop.signal).then(setChecked, () => undefined);
    return () => stop.abort();
  }, [plan]);
  useEffect(() => () => running.current?.abort(), []); // the import ends with the page
  useEffect(() => {
    if (!busy) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [busy]);

  const start = async (good: Checked["good"]): Promise<void> => {
    const stop = (running.current = new AbortController());
    setBusy(true);
    setFailure("");
    setProgress((old) => old ?? nothing);
    try {
      await run(good, progress ?? nothing, stop.signal, setProgress);
    } catch (error) {
      setFailure(stop.signal.aborted ? "You stopped the import." : sentence(error as Error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <section class="card" aria-label="Columns">
        <h2>{opened.name}: {number(opened.rows.length)} rows</h2>
        <Columns plan={plan} rows={opened.rows} disabled={progress !== undefined} onChange={onPlan} />
        {wrong !== "" && <p class="note">{wrong}</p>}
        <p role="status">{checked && !progress && `${number(checked.good.length)} rows can be imported, ${number(checked.refused.length)} cannot.`}</p>
        {checked && checked.good.length > 0 && progress?.sent !== checked.good.length && (
          <div class="pills">
            <button type="button" class="primary" disabled={busy} onClick={() => void start(checked.good)}>
              {progress ? "Continue" : `Import ${number(checked.good.length)} rows`}
            </button>
            {busy && <button type="button" onClick={() => running.current?.abort()}>Stop</button>}
          </div>
        )}
      </section>
      {progress && checked && <Outcome progress={progress} total={checked.good.length} failure={failure} />}
      {progress && <Refusals title="Refused by the server" headings={plan.headings} refused={progress.refused} />}
      {checked && <Refusals title="Rows that cannot be imported" headings={plan.headings} refused={checked.refused} />}
    </>
  );
}

// Outcome says how far an import is and what it did.
function Outcome({ progress, total, failure }: { progress: Progress; total: number; failure: string }) {
  const done = progress.sent === total;
  const counts: [name: string, count: number][] = [
    ["Created", progress.created], ["Changed", progress.updated], ["Active again", progress.reactivated], ["Unchanged", progress.unchanged],
    ["Refused", progress.refused.length],
  ];
  return (
    <section class="card" aria-label="Result">
      <div role="status"><h2>{done ? "The import is done" : `${number(progress.sent)} of ${number(total)} rows are sent`}</h2></div>
      <progress aria-label="Rows sent" max={total} value={progress.sent} />
      {failure !== "" && <p class="note" role="alert">{failure} What is sent stays. Continue sends the rest; sending a row twice changes nothing.</p>}
      <dl>{counts.map(([name, count]) => <><dt>{name}</dt><dd>{number(count)}</dd></>)}</dl>
    </section>
  );
}
