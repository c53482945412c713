// A line over time, with the period before it, and buckets that are not complete marked.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { compact, moment, tick } from "../format";
import { Marks, placed, type Mark, type Placed } from "./marks";

export interface Point { start: string; complete: boolean; value: number }

interface Props {
  name: string;
  points: Point[];
  before?: Point[]; // of the period before, drawn at the places of points
  beforeName?: string; // what the legend calls it
  interval: string;
  zone: string;
  write: (value: number) => string;
  brief?: (value: number) => string; // for the axis; compact numbers unless it is given
  onZoom?: (from: string, to: string) => void; // the days that were dragged over
  marks?: Mark[]; // what is noted beside the line; undefined where nothing can be
  onMark?: (marks: Mark[]) => void; // marks that were chosen
  onPoint?: (point: number | undefined) => void; // the point that was clicked on, and undefined for the key n without one
}

export function Chart(props: Props) {
  const box = useRef<HTMLDivElement>(null), plot = useRef<uPlot | undefined>(undefined);
  const [places, setPlaces] = useState<Placed>({ height: 0, groups: [] });
  const latest = useRef(props);
  latest.current = props;
  const key = JSON.stringify([props.name, props.interval, props.zone, props.points, props.before, props.beforeName, props.marks]);
  useEffect(() => {
    if (!box.current || props.points.length === 0) return;
    const ready = (drawn: uPlot) => {
      setPlaces(placed(drawn, props.marks ?? []));
      drawn.over.addEventListener("click", () => latest.current.onPoint?.(drawn.cursor.idx ?? undefined)); // uPlot stops the click that ends a drag
    };
    const draw = () => (plot.current = box.current ? new uPlot(options(props, box.current, ready), data(props), box.current) : undefined);
    draw();
    const again = () => {
      plot.current?.destroy();
      draw();
    };
    const watch = new ResizeObserver(again);
    watch.observe(box.current);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    return () => {
      watch.disconnect();
      dark.removeEventListener("change", again);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [key]);
  useNote(() => latest.current.onPoint?.(plot.current?.cursor.idx ?? undefined));
  const sum = props.points.map((p) => `${moment(p.start, props.interval, props.zone)}: ${props.write(p.value)}${p.complete ? "" : " so far"}`).join("; ");
  return (
    <div class="charted">
      <div ref={box} class="chart" role="img" aria-label={`${props.name}. ${sum}`} />
      {props.marks && <Marks {...places} onChoose={(marks) => props.onMark?.(marks)} />}
    </div>
  );
}

// useNote runs work when the key n is pressed outside of fields and dialogs.
function useNote(work: () => void): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key !== "n" || event.metaKey || event.ctrlKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || target.closest("dialog")) return;
      event.preventDefault(); // else the field of the dialog gets the key, too
      work();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

// data has the whole line, the part of it that is not complete, and the period before.
function data(p: Props): uPlot.AlignedData {
  const firstOpen = p.points.findIndex((point) => !point.complete);
  const open = (i: number) => firstOpen >= 0 && i >= firstOpen;
  return [
    p.points.map((point) => Date.parse(point.start) / 1000),
    p.points.map((point, i) => (open(i) ? null : point.value)),
    p.points.map((point, i) => (open(i) || open(i + 1) ? point.value : null)),
    ...(p.before ? [p.points.map((_, i) => p.before?.[i]?.value ?? null)] : []),
  ];
}

// narrow is the width below which the legend needs two lines, in pixels.
const narrow = 480;

function options(p: Props, box: HTMLElement, ready: (plot: uPlot) => void): uPlot.Options {
  const style = getComputedStyle(document.documentElement), color = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 } };
  const shown = (_: uPlot, value: number | null) => (value === null ? "–" : p.write(value));
  const brief = p.brief ?? compact, dashed = { stroke: color("--accent"), width: 2, dash: [4, 4] };
  return {
    width: box.clientWidth,
    height: box.clientHeight - (box.clientWidth < narrow ? 62 : 34), // the legend has the rest, in two lines on a phone
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), p.zone),
    cursor: { drag: { x: p.onZoom !== undefined, y: false, setScale: false } },
    scales: { y: { range: (_plot, least, most) => [Math.min(least * 1.08, 0), Math.max(most * 1.08, 1)] } },
    axes: [
      { ...axis, incrs: steps[p.interval], values: (_, ticks) => ticks.map((seconds) => tick(seconds, p.interval, p.zone)) },
      { ...axis, size: 64, values: (_, ticks) => ticks.map(brief) },
    ],
    series: [
      { label: "Start", value: (_, seconds) => (seconds === null ? "–" : moment(new Date(seconds * 1000).toISOString(), p.interval, p.zone)) },
      { label: p.name, stroke: color("--accent"), width: 2, fill: color("--bar") + "66", value: shown },
      { label: "so far", ...dashed, value: shown },
      ...(p.before ? [{ label: p.beforeName ?? "before", stroke: color("--quiet"), width: 1, dash: [2, 3], value: shown }] : []),
    ],
    padding: [p.marks ? 30 : null, null, null, null], // the marks stand above the line
    hooks: { setSelect: [(plot) => zoom(plot, p)], ready: [ready] },
  };
}

const days = (...counts: number[]): number[] => counts.map((n) => n * 86_400);

// steps are how far apart the marks of the time axis may be, in seconds: no closer than the points.
const steps: Record<string, number[]> = {
  hour: [3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, ...days(1, 2, 7)], day: days(1, 2, 7, 14, 30, 60, 90),
  week: days(7, 14, 30, 60, 90, 180, 365), month: days(30, 60, 90, 180, 365, 730),
};

function zoom(plot: uPlot, p: Props): void {
  const { left, width } = plot.select;
  if (width < 10 || !p.onZoom) return;
  const [first, last] = [plot.posToIdx(left), plot.posToIdx(left + width)];
  const date = (i: number) => p.points[i]!.start.slice(0, 10);
  p.onZoom(date(first), date(last));
}
