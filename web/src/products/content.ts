// What people write about a product, and what changes between two versions of it.
import type { Schemas } from "../api";
import { minorOf, plainMoney } from "../format";
import type { FieldError } from "../session";

export type Product = Schemas["Product"];

// contentFields are the members of a product that a person changes, with their names.
export const contentFields = {
  sku: "SKU", name: "Name", description: "Description", category: "Category", price_minor: "Price", currency: "Currency",
  prices: "Prices in other currencies", attributes: "Attributes",
} as const;

export type ContentField = keyof typeof contentFields;
export type Content = Pick<Product, ContentField>;

const names = Object.keys(contentFields) as ContentField[];

export function contentOf(p: Product): Content {
  return Object.fromEntries(names.map((name) => [name, p[name]])) as Content;
}

// Draft is a content as it is typed.
export interface Draft {
  sku: string;
  name: string;
  description: string;
  category: string;
  price: string; // in major units
  currency: string;
  prices: { currency: string; price: string }[];
  attributes: string; // a JSON object; empty for none
}

export const emptyDraft: Draft = { sku: "", name: "", description: "", category: "", price: "", currency: "", prices: [], attributes: "" };

export function draftOf(c: Content): Draft {
  const { sku, name, description, category, currency, attributes } = c;
  return {
    sku, name, description, category, currency, price: plainMoney(c.price_minor, currency),
    prices: Object.entries(c.prices).map(([currency, minor]) => ({ currency, price: plainMoney(minor, currency) })),
    attributes: Object.keys(attributes).length > 0 ? JSON.stringify(attributes, null, 2) : "",
  };
}

// read returns the content of a draft, or what is wrong with it. The server checks the rest.
export function read(d: Draft): { content: Content; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const wrong = (pointer: string, detail: string) => errors.push({ pointer, code: "invalid_value", detail });
  const price = (pointer: string, text: string, currency: string): number => {
    const minor = minorOf(text, currency);
    if (minor === undefined) wrong(pointer, `${currency || "The price"} must be an amount such as ${plainMoney(129900, currency)}, without separators of thousands.`);
    return minor ?? 0;
  };
  const currency = d.currency.trim().toUpperCase();
  const prices: Record<string, number> = {};
  for (const row of d.prices) {
    const code = row.currency.trim().toUpperCase();
    if (code in prices) wrong("/prices", `${code} is there twice.`);
    prices[code] = price("/prices", row.price, code);
  }
  const attributes = object(d.attributes);
  if (attributes === undefined) wrong("/attributes", 'Must be a JSON object such as {"color": "green"}, or empty.');
  const { sku, name, description, category } = d;
  const content: Content = { sku: sku.trim(), name: name.trim(), description, category: category.trim(), currency, price_minor: price("/price_minor", d.price, currency), prices, attributes: attributes ?? {} };
  return { content, errors };
}

function object(text: string): Record<string, unknown> | undefined {
  if (text.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

// mergePatch returns the JSON merge patch (RFC 7396) that turns one object into another.
export function mergePatch(from: Record<string, unknown>, to: Record<string, unknown>): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [was, is] = [from[name], to[name]];
    if (equal(was, is)) continue;
    patch[name] = isObject(was) && isObject(is) ? mergePatch(was, is) : (is ?? null);
  }
  return patch;
}

// changesOf returns the patch that makes a product with content from have content to.
export function changesOf(from: Content, to: Content): Schemas["ProductPatch"] {
  const patch = mergePatch(from, to) as Schemas["ProductPatch"];
  if (patch.currency !== undefined) patch.price_minor = to.price_minor; // an old amount in a new currency is another price
  return patch;
}

export function changedFields(from: Content, to: Content): ContentField[] {
  return names.filter((name) => !equal(from[name], to[name]));
}

// equal compares JSON values; the order of members does not matter.
export function equal(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return JSON.stringify(a) === JSON.stringify(b);
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && equal(a[key], b[key]));
}
