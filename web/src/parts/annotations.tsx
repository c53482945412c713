// What members have noted about the days of a chart: marks above it, and a list below it.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { address, send, type Answer, type Schemas } from "../api";
import { day, exact } from "../format";
import { useAnswer } from "../load";
import { period, zone } from "../period";
import { mayAnnotate } from "../rights";
import { Confirm, Dialog } from "./dialog";
import { Field } from "./field";
import { Failure } from "./fresh";
import type { Mark } from "./marks";
import { useSubmit } from "./submit";
import { say } from "./toast";

type Annotation = Schemas["Annotation"];
type List = Answer<"/annotations">;

// Draft is what the form begins with: a new annotation of a day or an instant, or one that is there.
type Draft = { day: string; at?: string } | Annotation;
const isStored = (draft: Draft): draft is Annotation => "id" in draft;

export interface Annotations {
  marks: (points: { start: string }[], zone: string) => Mark[];
  onMark: (marks: Mark[]) => void;
  onPoint: (start: string | undefined, interval: string) => void;
  list: JSX.Element; // what is below the chart
}

// useAnnotations reads the annotations of the days of the page.
export function useAnnotations(): Annotations {
  const { from, to } = period.value;
  const loaded = useAnswer<List>(address("/annotations", { from, to }));
  const [draft, setDraft] = useState<Draft>();
  const [shown, setShown] = useState<Annotation[]>();
  const items = loaded.answer?.items ?? [];
  const changed = () => {
    setDraft(undefined);
    setShown(undefined);
    loaded.retry();
  };
  return {
    marks: (points, zone) => marksOf(items, points, zone),
    onMark: (marks) => {
      const chosen = items.filter((item) => marks.some((mark) => mark.id === item.id));
      if (chosen.length === 1 && mayAnnotate.value) setDraft(chosen[0]);
      else setShown(chosen);
    },
    onPoint: (start, interval) => {
      if (!mayAnnotate.value) return;
      const date = start === undefined ? to : datesIn(zone.value)(start);
      setDraft(start !== undefined && interval === "hour" ? { day: date, at: start } : { day: date < from ? from : date }); // a week can begin before the days of the page
    },
    list: (
      <>
        <details class="noted">
          <summary>Annotations ({items.length})</summary>
          <Failure loaded={loaded} />
          {loaded.answer && items.length === 0 && <p class="quiet">Nothing is noted about these days.</p>}
          <Items items={items} onEdit={setDraft} />
          {mayAnnotate.value && <p><button type="button" onClick={() => setDraft({ day: to })}>Add an annotation</button> <span class="quiet">or click on the chart, or press n</span></p>}
        </details>
        {shown && <Dialog title="Annotations" onClose={() => setShown(undefined)}><Items items={shown} onEdit={(item) => { setShown(undefined); setDraft(item); }} /></Dialog>}
        {draft && <Editor draft={draft} onDone={changed} onClose={() => setDraft(undefined)} />}
      </>
    ),
  };
}

// datesIn returns what gives the date that clocks in a zone show at an instant.
function datesIn(zone: string): (at: string) => string {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  return (at) => format.format(new Date(at));
}

// marksOf finds the point of each annotation: the last one that begins at its time or before. A whole day begins with its first point.
export function marksOf(items: Annotation[], points: { start: string }[], zone: string): Mark[] {
  if (items.length === 0) return [];
  const date = datesIn(zone), dates = points.map((point) => date(point.start));
  return items.flatMap((item) => {
    const first = item.at === null ? dates.indexOf(item.day) : -1;
    const last = item.at === null ? dates.findLastIndex((date) => date <= item.day) : points.findLastIndex((point) => Date.parse(point.start) <= Date.parse(item.at!));
    const point = first >= 0 ? first : last;
    return point < 0 ? [] : [{ id: item.id, point, day: when(item), text: item.text }];
  });
}

const when = (item: Annotation): string => (item.at === null ? day(item.day) : exact(item.at, zone.value));

function Items({ items, onEdit }: { items: Annotation[]; onEdit: (item: Annotation) => void }) {
  if (items.length === 0) return null;
  return (
    <ul class="notes">
      {items.map((item) => (
        <li key={item.id}>
          <span><b>{when(item)}</b> {item.text} {item.author !== null && <span class="quiet">{item.author}</span>}</span>
          {mayAnnotate.value && <button type="button" aria-label={`Edit ${item.text}`} onClick={() => onEdit(item)}>Edit</button>}
        </li>
      ))}
    </ul>
  );
}

function Editor({ draft, onDone, onClose }: { draft: Draft; onDone: () => void; onClose: () => void }) {
  const [text, setText] = useState(isStored(draft) ? draft.text : "");
  const [date, setDate] = useState(draft.day);
  const [at, setAt] = useState(draft.at ?? undefined); // an instant, until another day is chosen
  const [removing, setRemoving] = useState(false);
  const submit = useSubmit(["/text", "/day", "/at"]);
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    const body = { text, ...(at === undefined ? { day: date } : { at }) };
    void submit.run(async () => {
      if (isStored(draft)) await send("put", "/annotations/{id}", { places: { id: draft.id }, body });
      else await send("post", "/annotations", { body });
      say("The annotation is saved.");
      onDone();
    });
  };
  const remove = async (id: string) => {
    await send("delete", "/annotations/{id}", { places: { id } });
    say("The annotation is deleted.");
    onDone();
  };
  if (removing && isStored(draft)) {
    return (
      <Confirm title="Delete the annotation" action="Delete" onConfirm={() => remove(draft.id)} onClose={onClose}>
        <p>“{draft.text}” disappears from the charts of all members.</p>
      </Confirm>
    );
  }
  return (
    <Dialog title={isStored(draft) ? "Edit the annotation" : "Add an annotation"} onClose={onClose}>
      <form class="form" onSubmit={save}>
        <Field label="What happened?" help="All members of the project read it." error={submit.errorOf("/text")}>
          {(wired) => <input {...wired} autofocus name="text" required maxLength={200} value={text} onInput={(event) => setText(event.currentTarget.value)} />}
        </Field>
        <Field label="Day" help={at === undefined ? undefined : `At ${exact(at, zone.value)}. Another day makes it an annotation of the whole day.`} error={submit.errorOf("/day") ?? submit.errorOf("/at")}>
          {(wired) => (
            <input
              {...wired} name="day" type="date" required min="1970-01-01" max="9998-12-31" value={date}
              onInput={(event) => { setDate(event.currentTarget.value); setAt(undefined); }}
            />
          )}
        </Field>
        {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
        <div class="pills">
          <button class="primary" disabled={submit.busy}>Save</button>
          {isStored(draft) && <button type="button" onClick={() => setRemoving(true)}>Delete</button>}
        </div>
      </form>
    </Dialog>
  );
}
