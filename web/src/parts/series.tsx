// The chart of a series as the API answers it. Dragging over it chooses the days.
import type { Annotations } from "./annotations";
import { Chart } from "./chart";
import { number } from "../format";
import { go, same } from "../route";

interface Dated { start: string; complete: boolean }

interface Props<P extends Dated> {
  name: string;
  series?: { interval: string; points: P[]; meta: { time_zone: string } }; // undefined while it is loading
  before?: { points: P[] }; // of the period before, or of what the series is compared with
  beforeName?: string;
  at: (point: P) => number | undefined;
  write?: (value: number) => string;
  brief?: (value: number) => string;
  fixed?: boolean; // the days cannot be changed
  annotations?: Annotations;
}

export function SeriesChart<P extends Dated>({ name, series, before, beforeName, at, write = number, brief, fixed, annotations }: Props<P>) {
  if (!series) return <div class="chart" />;
  const points = (of: P[]) => of.map((point) => ({ start: point.start, complete: point.complete, value: at(point) ?? 0 }));
  return (
    <Chart
      name={name} points={points(series.points)} before={before && points(before.points)} beforeName={beforeName} interval={series.interval} zone={series.meta.time_zone}
      write={write} brief={brief} onZoom={fixed ? undefined : (from, to) => go(same({ from, to, period: "", interval: "" }))}
      marks={annotations?.marks(series.points, series.meta.time_zone)} onMark={annotations?.onMark}
      onPoint={annotations && ((i) => annotations.onPoint(i === undefined ? undefined : series.points[i]?.start, series.interval))}
    />
  );
}
