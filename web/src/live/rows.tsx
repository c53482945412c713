// The rows of the page Live.
import { useState } from "preact/hooks";
import { address, get, type Answer, type Schemas } from "../api";
import { money, number } from "../format";
import { ProductLink, UserLink, when } from "../history/items";
import { sentence } from "../parts/submit";
import type { Item, LeftOut, Row } from "./feed";

export function LiveRow({ row }: { row: Row }) {
  if (!("of" in row)) return <li class="quiet left-out">{leftOut(row)}</li>;
  return (
    <li class={row.kind}>
      {when(row.of.ts)}
      <strong><Name item={row} /></strong>
      <span><UserLink id={row.of.user_id} visitor={row.of.anonymous_id} /></span>
      {row.kind === "event" ? <><span><ProductLink id={row.of.product_id} sku={row.of.sku} /></span><Details of={row.of} /></> : <Lines of={row.of} />}
    </li>
  );
}

function Name({ item }: { item: Item }) {
  if (item.kind === "event") return <>{item.of.type}</>;
  const amount = money(item.of.amount_minor, item.of.currency), number = item.of.number === null ? "" : ` ${item.of.number}`;
  return item.kind === "order" ? <>Order{number}, <span>{amount}</span></> : <>Refund{number}, <span>−{amount}</span></>;
}

function Lines({ of: { lines, line_count } }: { of: Schemas["LiveOrder"] | Schemas["LiveRefund"] }) {
  return (
    <span class="lines">
      {lines.map((line, i) => <span key={i}>{i > 0 && ", "}{line.quantity > 0 && `${number(line.quantity)} × `}<ProductLink id={line.product_id} sku={line.sku} /></span>)}
      {line_count > lines.length && ` and ${number(line_count - lines.length)} more lines`}
    </span>
  );
}

const nouns = { event: ["event", "events"], order: ["line of orders", "lines of orders"], refund: ["line of refunds", "lines of refunds"], any: ["item", "items"] } as const;

function leftOut({ kind, count, why }: LeftOut): string {
  const [one, several] = nouns[kind ?? "any"];
  const some = count === null ? `Some ${several} are` : count === 1 ? `One ${one} is` : `${number(count)} ${several} are`;
  const all = "The pages Events and Users have what was stored.";
  switch (why) {
    case "omitted":
      return `${some} not shown one by one, because they came together with others of quite another time. ${all}`;
    case "pause":
      return `${some} left out, because more came during the pause than fit here. ${all}`;
    default:
      return `${some} left out here, because this page was away for too long or too slow. ${all}`;
  }
}

// Details reads the properties of an event when somebody asks for them: the stream does not carry them.
function Details({ of }: { of: Schemas["LiveEvent"] }) {
  const [shown, setShown] = useState("");
  const open = (isOpen: boolean) => {
    if (!isOpen || shown !== "") return;
    setShown("Reading…");
    properties(of).then(setShown, (error: Error) => setShown(sentence(error, "see")));
  };
  return (
    <details onToggle={(event) => open(event.currentTarget.open)}>
      <summary aria-label={`Properties of ${of.type}`}>Properties</summary>
      <pre tabIndex={0} aria-label="Properties">{shown}</pre>
    </details>
  );
}

// properties finds an event among those of its user, name and millisecond.
async function properties(of: Schemas["LiveEvent"]): Promise<string> {
  const filter = {
    type: of.type, user_id: of.user_id ?? undefined, anonymous_id: of.anonymous_id ?? undefined, product_id: of.product_id ?? undefined,
    from: of.ts, to: new Date(Date.parse(of.ts) + 1).toISOString(), limit: 100,
  };
  for (let cursor: string | undefined; ; ) {
    const page: Answer<"/events"> = await get(address("/events", { ...filter, cursor }));
    const found: Schemas["RawEvent"] | undefined = page.items.find((event) => event.id === of.id);
    if (found) return JSON.stringify(found.properties, null, 2);
    if (page.next_cursor === null) return "The event is not stored any more.";
    cursor = page.next_cursor;
  }
}
