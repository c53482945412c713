// What was stored, as rows: events, orders and refunds.
import type { ComponentChildren } from "preact";
import type { Schemas } from "../api";
import { exact, money, number } from "../format";
import { zone } from "../period";
import { link } from "../route";

type RawEvent = Schemas["RawEvent"];

// when writes the time of an item, as the clocks of the project show it.
export const when = (ts: string) => <time dateTime={ts}>{exact(ts, zone.value)}</time>;

export function UserLink({ id, visitor }: { id: string | null; visitor: string | null }) {
  if (id !== null) return <a href={link(["users", id])}>{id}</a>;
  return visitor === null ? <span class="quiet">nobody</span> : <span class="quiet">visitor {visitor}</span>;
}

export function ProductLink({ id, sku }: { id: string | null; sku: string | null }) {
  return id === null ? null : <a href={link(["products", id])}>{sku}</a>;
}

// Properties shows what else an item has; a long value is not cut, because it is read for its details.
export function Properties({ of }: { of: Record<string, unknown> }) {
  const names = Object.keys(of);
  if (names.length === 0) return <span class="quiet">none</span>;
  return (
    <details>
      <summary>{names.slice(0, 3).join(", ")}{names.length > 3 && ` and ${number(names.length - 3)} more`}</summary>
      <pre>{JSON.stringify(of, null, 2)}</pre>
    </details>
  );
}

// what says what an item of a timeline is about, and what it has besides.
export function what(item: Schemas["TimelineItem"]): [name: string, content: ComponentChildren, properties: Record<string, unknown>] {
  if (item.order) return [`Order${item.order.number === null ? "" : ` ${item.order.number}`}`, <Lines of={item.order} />, item.order.properties];
  if (item.refund) return ["Refund", <Lines of={item.refund} />, item.refund.reason === null ? {} : { reason: item.refund.reason }];
  const event = item.event as RawEvent;
  return [event.type, <ProductLink id={event.product_id} sku={event.sku} />, event.properties];
}

interface Bought { currency: string; lines: { line: number; product_id: string; sku: string; quantity: number; amount_minor: number }[] }

function Lines({ of }: { of: Bought }) {
  const sum = of.lines.reduce((sum, line) => sum + line.amount_minor, 0);
  return (
    <>
      <strong>{money(sum, of.currency)}</strong>
      {of.lines.map((line) => <span key={line.line}> · {number(line.quantity)} × <ProductLink id={line.product_id} sku={line.sku} /></span>)}
    </>
  );
}
