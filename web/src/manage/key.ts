// What is said of an API key.
import type { Schemas } from "../api";
import { ago } from "../format";

export type Key = Schemas["APIKey"];
export type Scope = Schemas["Scope"];

// scopes are what a key may do, in the order of a form.
export const scopes: [scope: Scope, means: string][] = [
  ["ingest", "Send events, orders and refunds."],
  ["read", "Read numbers, products and stored events."],
  ["admin", "Both of these, and change products, keys and the project."],
];

export const date = (time: string): string => new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });

export function stateOf(key: Key, now = Date.now()): "active" | "expired" | "revoked" {
  if (key.revoked_at !== null) return "revoked";
  return key.expires_at !== null && Date.parse(key.expires_at) <= now ? "expired" : "active";
}

export const may = (key: Key): string => scopes.map(([scope]) => scope).filter((scope) => key.scopes.includes(scope)).join(", ");

export const used = (key: Key): string => (key.last_used_at === null ? "never" : ago(key.last_used_at, Date.now()));

// limits says what bounds a key: its end, and what becomes of products that it does not know.
export function limits(key: Key): string {
  const ends = key.expires_at === null ? "no end" : `ends ${date(key.expires_at)}`;
  const products = key.unknown_products === "create" ? "creates unknown products" : "refuses unknown products";
  const sends = key.scopes.some((scope) => scope !== "read");
  return [ends, sends && products, key.delegate && "makes admin keys"].filter(Boolean).join(", ");
}
