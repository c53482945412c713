// The choice of the days that a page is about.
import { useEffect } from "preact/hooks";
import { go, same } from "../route";
import { before, daysOf, period, plusDays, presets, today } from "../period";

export function PeriodPicker() {
  const p = period.value;
  // A day that is not between the others moves the other end with it. An empty field gets its day back.
  const choose = (field: HTMLInputElement, to: (date: string) => { from: string; to: string }) => {
    const date = field.value;
    if (date < "1970-01-02") field.value = field.defaultValue;
    else go(same({ ...to(date), period: "", interval: "" }));
  };
  const first = (date: string) => ({ from: date, to: date > p.to ? date : p.to });
  const last = (date: string) => ({ from: date < p.from ? date : p.from, to: date });
  return (
    <div class="pills" role="group" aria-label="Days">
      {presets.map(([name]) => (
        <button key={name} type="button" aria-pressed={p.preset === name} onClick={() => go(same({ period: name, from: "", to: "", interval: "" }))}>
          {name}
        </button>
      ))}
      <input type="date" aria-label="First day" defaultValue={p.from} value={p.from} max={today()} onChange={(event) => choose(event.currentTarget, first)} />
      <span aria-hidden="true">–</span>
      <input type="date" aria-label="Last day" defaultValue={p.to} value={p.to} max={today()} onChange={(event) => choose(event.currentTarget, last)} />
    </div>
  );
}

const byKey: Record<string, string> = { d: "today", w: "7 days", m: "30 days", q: "90 days" };

// usePeriodKeys lets d, w, m and q choose a preset, and the arrows the period before and after.
export function usePeriodKeys(): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.metaKey || event.ctrlKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) return;
      const preset = byKey[event.key], p = period.value;
      if (preset) go(same({ period: preset, from: "", to: "", interval: "" }));
      if (event.key === "ArrowLeft") move(before(p));
      if (event.key === "ArrowRight" && p.to < today()) move({ from: plusDays(p.to, 1), to: plusDays(p.to, daysOf(p)) });
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

function move(p: { from: string; to: string }): void {
  go(same({ from: p.from, to: p.to, period: "" }));
}
