// One number, how it has changed, and its course.
import { share } from "../format";

interface Props {
  name: string;
  value?: string; // undefined while it is loading
  change?: number | null;
  partial?: boolean; // the period is not over, so the change compares a part with a whole
  course?: number[];
  pressed?: boolean;
  onPress?: () => void;
  title?: string;
}

export function Figure(p: Props) {
  const content = (
    <>
      <span class="name">{p.name}</span>
      <span class="value">{p.value ?? <span class="skeleton" />}</span>
      <Changed change={p.change} partial={p.partial} />
      {p.course && p.course.length > 1 && <Spark values={p.course} />}
    </>
  );
  if (!p.onPress) return <div class="card figure" title={p.title}>{content}</div>;
  return <button type="button" class="figure" title={p.title} aria-pressed={p.pressed} onClick={p.onPress}>{content}</button>;
}

function Changed({ change, partial }: { change?: number | null; partial?: boolean }) {
  if (change === undefined || change === null) return <span class="quiet">&nbsp;</span>;
  const direction = change > 0 ? "up" : change < 0 ? "down" : "quiet";
  const arrow = change > 0 ? "▲ " : change < 0 ? "▼ " : "", word = change > 0 ? "up " : change < 0 ? "down " : "";
  return <span class={direction}><span aria-hidden="true">{arrow}</span><span class="heard">{word}</span>{share(Math.abs(change))}{partial && <span class="quiet"> so far</span>}</span>;
}

export function Spark({ values }: { values: number[] }) {
  const most = Math.max(...values, 1), least = Math.min(...values, 0), step = 100 / (values.length - 1);
  const line = values.map((value, i) => `${i === 0 ? "M" : "L"}${(i * step).toFixed(2)} ${(19 - (18 * (value - least)) / (most - least)).toFixed(2)}`).join("");
  return <svg viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true"><path d={line} /></svg>;
}
