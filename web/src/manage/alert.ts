// What is said of an alert: its condition in words, and what its evaluations have found.
import type { Schemas } from "../api";
import { day, minorOf, money, number, plainMoney } from "../format";
import { clock } from "./digest";

export type Alert = Schemas["Alert"];
export type AlertRequest = Schemas["AlertRequest"];
export type Evaluation = Schemas["AlertEvaluation"];
type Metric = Schemas["AlertMetric"];

export const metrics: [metric: Metric, name: string][] = [
  ["events", "events"], ["users", "users"], ["orders", "orders"], ["units", "units sold"], ["revenue", "net revenue"], ["conversion", "orders per view"],
];

export const conditions: [condition: Schemas["AlertCondition"], name: string][] = [
  ["above", "is over a value"], ["below", "is under a value"], ["change", "changes by more than"], ["anomaly", "is unusual"],
];

export const directions: [direction: Schemas["AlertDirection"], name: string][] = [["both", "up or down"], ["up", "up only"], ["down", "down only"]];

// baselines are what a condition can compare with, for days and for weeks.
export function baselines(condition: Schemas["AlertCondition"], every: Alert["every"]): [baseline: Schemas["AlertBaseline"], name: string][] {
  if (condition === "anomaly") return [["same_weekday", "the same weekday of the last eight weeks"], ["last_28_days", "the last 28 days"]];
  return every === "week" ? [["previous", "the week before"]] : [["previous", "the day before"], ["same_weekday", "the same weekday of the week before"]];
}

// valueOf writes a value of a metric.
export function valueOf(a: Pick<Alert, "metric" | "currency">, value: number): string {
  if (a.metric === "revenue") return money(value, a.currency ?? "EUR");
  if (a.metric === "conversion") return new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 2 }).format(value);
  return number(Math.round(value * 100) / 100);
}

// words says when an alert fires.
export function words(a: AlertRequest | Alert): string {
  const name = metrics.find(([metric]) => metric === a.metric)![1];
  const of = a.event ? ` “${a.event}”` : a.product ? " of one product" : "";
  const what = `${name[0]!.toUpperCase()}${name.slice(1)}${of} of a ${a.every}`;
  const baseline = baselines(a.condition, a.every).find(([b]) => b === a.baseline)?.[1] ?? "";
  const [rise, unusual] = { up: ["rise", "high"], down: ["fall", "low"], both: ["rise or fall", "high or low"] }[a.direction ?? "both"] as [string, string];
  switch (a.condition) {
    case "above":
    case "below":
      return `${what} ${a.condition === "above" ? "over" : "under"} ${valueOf(a, a.threshold ?? 0)}`;
    case "change":
      return `${what} ${rise} by more than ${number(a.percent ?? 0)} % against ${baseline}`;
    case "anomaly":
      return `${what} unusually ${unusual} against ${baseline}, with a score beyond ${number(a.sensitivity ?? 0)}`;
  }
}

// looked says when an alert looks at a period.
export const looked = (a: Pick<Alert, "every" | "hour">): string => `from ${clock(a.hour)} on the day after each ${a.every}, once everything is counted`;

// stateOf says what the newest evaluation has found, and more of it.
export function stateOf(a: Alert): [state: "off" | "new" | "waiting" | "not evaluated" | "firing" | "ok", more: string] {
  if (!a.enabled) return ["off", ""];
  if (!a.last) return ["new", "Its first period is not over."];
  const [state, more] = found(a, a.last);
  return [state, `${days(a.last)}: ${more}`];
}

export const days = (e: Evaluation): string => (e.from === e.to ? day(e.from) : `${day(e.from)} – ${day(e.to)}`);

// found says what an evaluation has found.
export function found(a: Alert, e: Evaluation): [state: "waiting" | "not evaluated" | "firing" | "ok", more: string] {
  if (e.state !== "evaluated") return [e.state === "waiting" ? "waiting" : "not evaluated", e.reason];
  const value = e.value === null ? "no value" : valueOf(a, e.value);
  return [e.fired ? "firing" : "ok", e.recovered ? `${value}, as before again` : value];
}

// expected writes the range in which an alert does not fire.
export function expected(a: Alert, e: Evaluation): string {
  if (e.low === null && e.high === null) return "";
  if (e.low === null) return `up to ${valueOf(a, e.high!)}`;
  return e.high === null ? `from ${valueOf(a, e.low)}` : `${valueOf(a, e.low)} to ${valueOf(a, e.high)}`;
}

// AlertDraft is what is typed of an alert. Revenue is in major units, conversion in percent.
export interface AlertDraft {
  name: string; metric: Metric; currency: string; event: string; sku: string; every: Alert["every"]; hour: number; condition: Schemas["AlertCondition"];
  threshold: string; percent: string; sensitivity: string; direction: Schemas["AlertDirection"]; baseline: Schemas["AlertBaseline"];
  recovery: boolean; enabled: boolean;
}

export const newAlert: AlertDraft = {
  name: "", metric: "orders", currency: "EUR", event: "", sku: "", every: "day", hour: 6, condition: "anomaly", threshold: "", percent: "20", sensitivity: "3.5",
  direction: "both", baseline: "same_weekday", recovery: true, enabled: true,
};

export function alertDraft(a: Alert, sku: string): AlertDraft {
  const scaled = (value: number) => (a.metric === "revenue" ? plainMoney(value, a.currency!) : String(a.metric === "conversion" ? value * 100 : value));
  return {
    name: a.name, metric: a.metric, currency: a.currency ?? "EUR", event: a.event ?? "", sku, every: a.every, hour: a.hour, condition: a.condition,
    threshold: a.threshold === undefined ? "" : scaled(a.threshold), percent: String(a.percent ?? 20), sensitivity: String(a.sensitivity ?? 3.5),
    direction: a.direction ?? "both", baseline: a.baseline ?? "previous", recovery: a.notify_recovery, enabled: a.enabled,
  };
}

// readAlert returns the alert of a draft without its receivers. It has only what belongs to its metric and condition.
export function readAlert(d: AlertDraft, product: string): Omit<AlertRequest, "recipients" | "url"> {
  const { metric, every, hour, condition } = d, compares = condition === "change" || condition === "anomaly";
  return {
    name: d.name.trim(), metric, every, hour, condition, notify_recovery: d.recovery, enabled: d.enabled,
    ...(metric === "revenue" && { currency: d.currency }), ...(product !== "" && { product }),
    ...(namesEvents(metric) && product === "" && d.event.trim() !== "" && { event: d.event.trim() }),
    ...(!compares && { threshold: threshold(d) }), ...(condition === "change" && { percent: numeric(d.percent, "The percentage") }),
    ...(condition === "anomaly" && { sensitivity: numeric(d.sensitivity, "The sensitivity") }),
    ...(compares && { direction: d.direction, baseline: baselines(condition, every).find(([b]) => b === d.baseline)?.[0] ?? baselines(condition, every)[0]![0] }),
  };
}

export const namesEvents = (metric: Metric): boolean => metric === "events" || metric === "users";

function threshold(d: AlertDraft): number {
  if (d.metric !== "revenue") return numeric(d.threshold, "The value") / (d.metric === "conversion" ? 100 : 1);
  const minor = minorOf(d.threshold, d.currency);
  if (minor === undefined) throw new Error("The value must be an amount of money, such as 1200.50.");
  return minor;
}

function numeric(text: string, what: string): number {
  const value = Number(text.trim().replace(",", "."));
  if (text.trim() === "" || !Number.isFinite(value)) throw new Error(`${what} must be a number.`);
  return value;
}
