// The days that a page is about.
import { computed, signal } from "@preact/signals";
import { query } from "./route";

// zone is the time zone of the project, as the last answer said. Its today is the last day of a preset.
export const zone = signal("UTC");

// presets are the periods that have a name, with their length in days.
export const presets: [name: string, days: number][] = [["today", 1], ["7 days", 7], ["30 days", 30], ["90 days", 90]];

// today is the date that the clocks of the project show.
export function today(at = new Date()): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone: zone.value, year: "numeric", month: "2-digit", day: "2-digit" }).format(at);
}

export function plusDays(date: string, days: number): string {
  const at = new Date(date + "T00:00:00Z");
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

// beginning returns the instant at which a date begins by the clocks of a zone.
export function beginning(date: string, zone: string): string {
  const utc = Date.parse(date + "T00:00:00Z");
  const shift = (at: number): number => Date.parse(new Date(at).toLocaleString("sv-SE", { timeZone: zone }).replace(" ", "T") + "Z") - at;
  return new Date(utc - shift(utc - shift(utc))).toISOString();
}

export interface Period { from: string; to: string; preset: string }

const isDate = (text: string | null): text is string => text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text);

// period is what the address says: days, or a preset that ends today.
export const period = computed<Period>(() => {
  const from = query.value.get("from"), to = query.value.get("to");
  if (isDate(from) && isDate(to) && from <= to) return { from, to, preset: "" };
  const [name, days] = presets.find(([name]) => name === query.value.get("period")) ?? presets[2]!;
  const last = today();
  return { from: plusDays(last, 1 - days), to: last, preset: name };
});

export const daysOf = (p: Period): number => Math.round((Date.parse(p.to) - Date.parse(p.from)) / 86_400_000) + 1;

// before is the period of equal length before another.
export function before(p: Period): Period {
  const days = daysOf(p);
  return { from: plusDays(p.from, -days), to: plusDays(p.from, -1), preset: "" };
}

// interval is the length of a point that fits a period, unless the address names one.
export const interval = computed(() => {
  const asked = query.value.get("interval"), days = daysOf(period.value);
  if (asked === "day" || asked === "week" || asked === "month" || (asked === "hour" && days <= 31)) return asked;
  return days <= 2 ? "hour" : days <= 120 ? "day" : "week";
});
