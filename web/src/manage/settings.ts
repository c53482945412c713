// The settings of a project: as they are typed, and as the API has them.
import type { Schemas } from "../api";
import { equal } from "../products/content";
import type { FieldError } from "../session";

export type Project = Schemas["ProjectDetails"];
export type Settings = Pick<Project, "name" | "time_zone" | "currency" | "week_start" | "max_event_age_days" | "events_per_second">;

export const settingNames: Record<keyof Settings, string> = {
  name: "Name", time_zone: "Time zone", currency: "Currency", week_start: "Weeks begin on", max_event_age_days: "Greatest age of events", events_per_second: "Events per second",
};

const fields = Object.keys(settingNames) as (keyof Settings)[];

// weekdays are the days of a week: 1 is Monday.
export const weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

export const settingsOf = (p: Project): Settings => Object.fromEntries(fields.map((field) => [field, p[field]])) as Settings;

// Draft is what is typed; an empty number is no limit of the project.
export type Draft = Record<keyof Settings, string>;

export const draftOf = (s: Settings): Draft => Object.fromEntries(fields.map((field) => [field, String(s[field] ?? "")])) as Draft;

// read returns the settings of a draft, or what is wrong with it. The server checks the rest.
export function read(d: Draft): { settings: Settings; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const limit = (field: "max_event_age_days" | "events_per_second"): number | null => {
    const text = d[field].trim();
    if (text === "") return null;
    if (!/^\d{1,9}$/.test(text)) errors.push({ pointer: "/" + field, code: "invalid_value", detail: "Must be a whole number, or empty." });
    return Number(text);
  };
  const { name, time_zone, currency } = d;
  return { settings: { name: name.trim(), time_zone, currency, week_start: Number(d.week_start), max_event_age_days: limit("max_event_age_days"), events_per_second: limit("events_per_second") }, errors };
}

export const changedSettings = (from: Settings, to: Settings): (keyof Settings)[] => fields.filter((field) => !equal(from[field], to[field]));

// patchOf returns the patch that makes the settings from be to.
export function patchOf(from: Settings, to: Settings): Schemas["ProjectPatch"] {
  return Object.fromEntries(changedSettings(from, to).map((field) => [field, to[field]]));
}

// shown writes a setting.
export function shown(field: keyof Settings, s: Settings): string {
  if (field === "week_start") return weekdays[s.week_start - 1] ?? "";
  if (s[field] === null) return field === "events_per_second" ? "no limit" : "as the installation";
  return String(s[field]);
}
