// The choice of the days that a page is about.
import { useEffect } from "preact/hooks";
import { go, same } from "../route";
import { before, daysOf, period, plusDays, presets, today } from "../period";
import { day } from "../format";

export function PeriodPicker() {
  const p = period.value;
  const choose = (from: string, to: string) => {
    if (from !== "" && to !== "" && from <= to) go(same({ from, to, period: "", interval: "" }));
  };
  return (
    <div class="pills" role="group" aria-label="Days">
      {presets.map(([name]) => (
        <button key={name} type="button" aria-pressed={p.preset === name} onClick={() => go(same({ period: name, from: "", to: "", interval: "" }))}>
          {name}
        </button>
      ))}
      <input type="date" aria-label="First day" value={p.from} max={p.to} onChange={(event) => choose(event.currentTarget.value, p.to)} />
      <span aria-hidden="true">–</span>
      <input type="date" aria-label="Last day" value={p.to} min={p.from} max={today()} onChange={(event) => choose(p.from, event.currentTarget.value)} />
      <span class="quiet">{p.from === p.to ? day(p.from) : `${day(p.from)} – ${day(p.to)}`}</span>
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
