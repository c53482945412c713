// What the columns of a file mean, and the products that its rows become.
import type { Schemas } from "../api";
import { minorOf } from "../format";
import type { Row } from "./csv";

export type Item = Schemas["ProductBulkItem"];

// Target is what a column is: a field, a price in one more currency ("prices:USD"), an attribute, or nothing.
export type Target = "" | keyof typeof fields | "attribute" | `prices:${string}`;

const fields = {
  sku: "SKU", name: "Name", description: "Description", category: "Category", price: "Price", price_minor: "Price in minor units (cents)",
  currency: "Currency", status: "Status",
};

// known are the usual headings of each field, without case and punctuation.
const known: Record<keyof typeof fields, string[]> = {
  sku: ["sku", "stockcode", "articlenumber", "itemnumber", "productid", "productcode", "itemcode", "artikelnummer"],
  name: ["name", "title", "product", "productname", "bezeichnung"],
  description: ["description", "desc", "details", "beschreibung"],
  category: ["category", "producttype", "department", "group", "kategorie"],
  price: ["price", "unitprice", "amount", "preis"],
  price_minor: ["priceminor", "pricecents", "cents"],
  currency: ["currency", "currencycode", "währung"],
  status: ["status"],
};

const plain = (heading: string): string => heading.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

// currencyIn returns the currency in a heading such as "Price USD"; empty if there is none.
function currencyIn(heading: string): string {
  const words = heading.toUpperCase().split(/[^A-Z]+/);
  const code = words.find((word) => /^[A-Z]{3}$/.test(word) && Intl.supportedValuesOf("currency").includes(word));
  return code && words.length > 1 ? code : "";
}

// targets are the meanings that a column can have, with their names.
export function targets(heading: string): [Target, string][] {
  const code = currencyIn(heading), further: [Target, string][] = code === "" ? [] : [[`prices:${code}`, `Price in ${code} as well`]];
  return [["", "Leave out"], ...(Object.entries(fields) as [Target, string][]), ...further, ["attribute", `Attribute “${heading}”`]];
}

// guess returns what the columns probably mean. Each field is taken once.
export function guess(headings: string[]): Target[] {
  const taken = new Set<Target>();
  return headings.map((heading) => {
    const field = (Object.keys(known) as (keyof typeof known)[]).find((field) => known[field].includes(plain(heading)) && !taken.has(field));
    const code = currencyIn(heading), target: Target = field ?? (code !== "" && /price|preis/i.test(heading) ? `prices:${code}` : "");
    if (taken.has(target)) return "";
    if (target !== "") taken.add(target);
    return target;
  });
}

// Plan is how the rows of a file are read.
export interface Plan {
  headings: string[];
  targets: Target[];
  currency: string; // of prices whose row names none
}

// flaw says why nothing can be imported by a plan; empty if it can.
export function flaw(p: Plan): string {
  const used = p.targets.filter((target) => target !== "" && target !== "attribute");
  const twice = used.find((target, i) => used.indexOf(target) !== i);
  if (twice !== undefined) return `Two columns are “${fields[twice as keyof typeof fields] ?? twice.replace("prices:", "Price in ")}”. Leave one of them out.`;
  if (!used.includes("sku")) return "Choose the column that has the SKU. It says which product a row is.";
  if (used.includes("price") && used.includes("price_minor")) return "Choose one column for the price.";
  if (used.includes("price") && !used.includes("currency") && p.currency === "") return "Give the currency of the prices, or choose a column that has it.";
  return "";
}

// itemOf returns the product of a row, or what is wrong with the row. An empty cell says nothing, so it changes nothing.
export function itemOf(p: Plan, row: Row): { item: Item } | { error: string } {
  if (row.broken) return { error: "A quote is not closed." };
  if (row.cells.length > p.headings.length) return { error: `The row has ${row.cells.length} cells for ${p.headings.length} columns.` };
  const cell = (target: Target) => row.cells[p.targets.indexOf(target)]?.trim() ?? "";
  const item: Item = { sku: cell("sku").normalize("NFC") };
  if (item.sku === "") return { error: "The SKU is missing." };
  for (const field of ["name", "description", "category"] as const) if (cell(field) !== "") item[field] = cell(field);
  const error = readPrice(p, item, cell) || readStatus(item, cell("status"));
  if (error !== "") return { error };
  for (const [i, target] of p.targets.entries()) {
    const text = row.cells[i]?.trim() ?? "";
    if (text === "") continue;
    if (target === "attribute") item.attributes = { ...item.attributes, [p.headings[i]!]: text };
    if (!target.startsWith("prices:")) continue;
    const code = target.slice("prices:".length), minor = minorOf(text, code);
    if (minor === undefined) return { error: `The price in ${code} is no amount: ${text}` };
    item.prices = { ...item.prices, [code]: minor };
  }
  return { item };
}

function readPrice(p: Plan, item: Item, cell: (target: Target) => string): string {
  const price = cell("price"), minor = cell("price_minor"), currency = (cell("currency") || p.currency).toUpperCase();
  if (price === "" && minor === "") {
    if (cell("currency") !== "") item.currency = currency;
    return "";
  }
  if (currency !== "" && !/^[A-Z]{3}$/.test(currency)) return `The currency must be three letters such as EUR, not ${currency}`;
  if (currency !== "") item.currency = currency;
  if (price !== "" && currency === "") return "The currency is missing.";
  if (minor !== "" && !/^\d{1,13}$/.test(minor)) return `The price in minor units is no whole number: ${minor}`;
  const read = minor !== "" ? Number(minor) : minorOf(price, currency);
  if (read === undefined) return `The price is no amount in ${currency} such as 1299.00, without separators of thousands: ${price}`;
  item.price_minor = read;
  return "";
}

function readStatus(item: Item, text: string): string {
  const status = text.toLowerCase();
  if (status === "") return "";
  if (status !== "active" && status !== "archived") return `The status must be active or archived, not ${text}`;
  item.status = status;
  return "";
}
