// What is said of an API key.
import type { Schemas } from "../api";
import { ago, number } from "../format";

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

// origins says which pages may send with a public key.
export const origins = (settings: Schemas["PublicKeySettings"]): string => settings.origins.map((origin) => (origin === "*" ? "any page" : origin)).join(", ");

// limits says what bounds a key: its end, what becomes of products that it does not know, and what pages may send.
export function limits(key: Key): string {
  const ends = key.expires_at === null ? "no end" : `ends ${date(key.expires_at)}`;
  const products = key.unknown_products === "create" ? "creates unknown products" : "refuses unknown products";
  const sends = key.scopes.some((scope) => scope !== "read");
  return [ends, sends && products, key.delegate && "makes admin keys", ...pageLimits(key.public)].filter(Boolean).join(", ");
}

// pageLimits says what bounds a public key.
function pageLimits(of: Schemas["PublicKeySettings"] | undefined): (string | false)[] {
  if (!of) return [];
  const { default_sku: sku, events_per_minute: most } = of;
  return [of.drop_bots === false && "takes events of bots", sku !== undefined && `product ${sku} where none is named`, most !== undefined && `${number(most)} events a minute`];
}
