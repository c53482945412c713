// What is said of a digest.
import type { Schemas } from "../api";
import { ago, day } from "../format";
import { nobody, readReceiver, receiverOf, type Receiver } from "./receiver";

export type Digest = Schemas["Digest"];
export type DigestRequest = Schemas["DigestRequest"];

export const hours = Array.from({ length: 23 }, (_, i) => i + 1);

// clock writes an hour of the clocks of the project: 08:00.
export const clock = (hour: number): string => `${String(hour).padStart(2, "0")}:00`;

export const when = (d: Pick<Digest, "every" | "hour">): string => `${d.every === "day" ? "every day" : "every week"} at ${clock(d.hour)}`;

// DigestDraft is what is typed of a digest.
export interface DigestDraft extends Receiver { name: string; every: Digest["every"]; hour: number; enabled: boolean }

export const newDigest: DigestDraft = { ...nobody, name: "", every: "week", hour: 8, enabled: true };

export const digestDraft = (d: Digest): DigestDraft => ({ ...receiverOf(d), name: d.name, every: d.every, hour: d.hour, enabled: d.enabled });

// readDigest returns the digest of a draft. The server checks it.
export function readDigest(d: DigestDraft): DigestRequest {
  return { name: d.name.trim(), every: d.every, hour: d.hour, enabled: d.enabled, ...readReceiver(d) };
}

// digestFields are what a person changes, as it is shown.
export const digestFields: [name: string, text: (d: DigestRequest) => string][] = [
  ["Name", (d) => d.name], ["Sent", when], ["To", (d) => d.url || (d.recipients ?? []).join(", ")], ["State", (d) => (d.enabled ? "on" : "off")],
];

// requestOf is a digest as it would be sent.
export const requestOf = (d: Digest): DigestRequest => readDigest(digestDraft(d));

const days = (of: Schemas["DigestDelivery"]): string => (of.from === of.to ? day(of.from) : `${day(of.from)} – ${day(of.to)}`);

// lastOf says what became of the newest digest: what, how, and why not.
export function lastOf(d: Digest): [what: string, how: string, failure: string] {
  const last = d.last;
  if (!last) return ["Nothing was sent yet.", "", ""];
  const what = `${last.test ? "Test" : "Numbers"} of ${days(last)}`;
  const tries = last.attempts > 1 ? ` after ${last.attempts} attempts` : "";
  switch (last.state) {
    case "sent":
      return [what, `sent${tries} ${ago(last.at, Date.now())}${last.complete ? "" : ", not complete"}`, ""];
    case "failed":
      return [what, `failed${tries} ${ago(last.at, Date.now())}`, last.failure];
    case "sending":
      return [what, "is being sent", ""];
    default:
      return [what, last.attempts === 0 ? "waits for its time" : `is tried again at ${new Date(last.at).toLocaleTimeString(undefined, { timeStyle: "short" })}`, last.failure];
  }
}

// isTesting is whether a test has no result yet.
export const isTesting = (d: Digest): boolean => d.last?.test === true && (d.last.state === "waiting" || d.last.state === "sending");
