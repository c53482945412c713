// Marks above a chart: what is noted at its points. They are buttons, so the keyboard reaches them.
import type { JSX } from "preact";
import type uPlot from "uplot";

export interface Mark {
  id: string;
  point: number; // the index of the point that it belongs to
  day: string; // as people read it
  text: string;
}

interface Group {
  left: number;
  late: boolean; // it is in the right half, so its text is to the left
  marks: Mark[];
}

// Placed is where marks are above a chart, in pixels from its left, and how far down their lines go.
export interface Placed { height: number; groups: Group[] }

// apart is the least distance of two marks, in pixels. What is closer together is one mark, so that each can be hit.
const apart = 30;

// placed finds the places of marks in a chart that is drawn.
export function placed(plot: uPlot, marks: Mark[]): Placed {
  const groups: Group[] = [], start = plot.bbox.left / devicePixelRatio, half = start + plot.bbox.width / devicePixelRatio / 2;
  for (const mark of [...marks].sort((a, b) => a.point - b.point)) {
    const left = start + plot.valToPos(plot.data[0][mark.point]!, "x"), last = groups.at(-1);
    if (last && left - last.left < apart) last.marks.push(mark);
    else groups.push({ left, late: left > half, marks: [mark] });
  }
  return { height: plot.bbox.height / devicePixelRatio, groups };
}

export function Marks({ groups, height, onChoose }: Placed & { onChoose: (marks: Mark[]) => void }) {
  const at = (left: number) => (element: HTMLElement | null) => {
    element?.style.setProperty("--left", `${left}px`); // attributes may not have styles
    element?.style.setProperty("--tall", `${height}px`);
  };
  return (
    <div class="marks">
      {groups.map(({ left, late, marks }): JSX.Element => (
        <button key={marks[0]!.id} ref={at(left)} type="button" class={late ? "mark late" : "mark"} aria-label={marks.map((m) => `${m.day}: ${m.text}`).join("; ")} onClick={() => onChoose(marks)}>
          {marks.length === 1 ? "◆" : marks.length}
          <span class="tip" aria-hidden="true">{marks.map((m) => <span key={m.id}><b>{m.day}</b> {m.text}</span>)}</span>
        </button>
      ))}
    </div>
  );
}
