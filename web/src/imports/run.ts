// The run of an import: the rows are checked, and those that are right are sent in chunks.
import { send, type Schemas } from "../api";
import { Problem } from "../session";
import type { Row } from "./csv";
import { itemOf, type Item, type Plan } from "./mapping";

export interface Refused { row: Row; why: string }
export interface Checked { good: { row: Row; item: Item }[]; refused: Refused[] }

// breather is after how many rows the page gets time for its reader.
const breather = 2000;

// check reads all rows by a plan. A SKU that an earlier row has is refused, because only one of them could be meant.
export async function check(plan: Plan, rows: Row[], signal: AbortSignal): Promise<Checked> {
  const checked: Checked = { good: [], refused: [] };
  const lines = new Map<string, number>();
  for (const [i, row] of rows.entries()) {
    if (i % breather === breather - 1) await pause(0, signal);
    const read = itemOf(plan, row), earlier = "item" in read ? lines.get(read.item.sku) : undefined;
    if ("error" in read) checked.refused.push({ row, why: read.error });
    else if (earlier !== undefined) checked.refused.push({ row, why: `Line ${earlier} has the same SKU.` });
    else {
      lines.set(read.item.sku, row.line);
      checked.good.push({ row, item: read.item });
    }
  }
  return checked;
}

type Count = "created" | "updated" | "reactivated" | "unchanged";

// Progress is what has become of the rows so far.
export interface Progress extends Record<Count, number> { sent: number; refused: Refused[] }

export const nothing: Progress = { sent: 0, created: 0, updated: 0, reactivated: 0, unchanged: 0, refused: [] };

// chunk is how many rows a request has. The bulk operation takes 1,000 products and 16 MiB; the longest texts fit four times.
const chunk = 250;

// attempts are how often a chunk is sent to a server that is busy.
const attempts = 6;

// run sends the rows that are not sent yet, and tells after each chunk how far it is. It can be called again after a failure: a SKU
// that was written already is unchanged the second time, so a repeated chunk is harmless.
export async function run(rows: Checked["good"], from: Progress, signal: AbortSignal, tell: (p: Progress) => void): Promise<void> {
  let progress = from;
  while (progress.sent < rows.length) {
    const part = rows.slice(progress.sent, progress.sent + chunk);
    progress = add(progress, part, await patiently(part.map(({ item }) => item), signal));
    tell(progress);
  }
}

function add(p: Progress, part: Checked["good"], result: Schemas["ProductBulkResult"]): Progress {
  const reasons = new Map<number, string[]>(); // an item has an error for each of its problems
  for (const { index, detail } of result.errors) reasons.set(index, [...(reasons.get(index) ?? []), detail]);
  const refused = [...reasons].map(([index, details]) => ({ row: part[index]!.row, why: details.join(" ") }));
  return {
    sent: p.sent + part.length, refused: [...p.refused, ...refused], created: p.created + result.created, updated: p.updated + result.updated,
    reactivated: p.reactivated + result.reactivated, unchanged: p.unchanged + result.unchanged,
  };
}

// patiently sends a chunk, and again when the server asks to wait.
async function patiently(products: Item[], signal: AbortSignal): Promise<Schemas["ProductBulkResult"]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send("post", "/products/bulk", { body: { products }, signal });
    } catch (error) {
      const busy = error instanceof Problem && (error.status === 429 || error.status === 503);
      if (!busy || attempt === attempts) throw error;
      await pause(Math.max(error.retryAfter, attempt), signal);
    }
  }
}

// pause waits for some seconds; it throws when the signal is aborted meanwhile.
async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, seconds * 1000);
    signal.addEventListener("abort", end);
  });
  signal.throwIfAborted();
}
