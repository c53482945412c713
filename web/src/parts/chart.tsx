// A line over time, with the period before it, and buckets that are not complete marked.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { compact, moment, tick } from "../format";

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
}

export function Chart(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const key = JSON.stringify([props.name, props.interval, props.zone, props.points, props.before, props.beforeName]);
  useEffect(() => {
    if (!box.current || props.points.length === 0) return;
    const draw = () => box.current && new uPlot(options(props, box.current), data(props), box.current);
    let plot = draw();
    const again = () => {
      plot?.destroy();
      plot = draw();
    };
    const watch = new ResizeObserver(again);
    watch.observe(box.current);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    return () => {
      watch.disconnect();
      dark.removeEventListener("change", again);
      plot?.destroy();
    };
  }, [key]);
  const sum = props.points.map((p) => `${moment(p.start, props.interval, props.zone)}: ${props.write(p.value)}${p.complete ? "" : " so far"}`).join("; ");
  return <div ref={box} class="chart" role="img" aria-label={`${props.name}. ${sum}`} />;
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

function options(p: Props, box: HTMLElement): uPlot.Options {
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
    hooks: { setSelect: [(plot) => zoom(plot, p)] },
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
