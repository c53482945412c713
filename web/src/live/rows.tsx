// The rows of the page Live.
import { useState } from "preact/hooks";
import { address, get, type Answer, type Schemas } from "../api";
import { number } from "../format";
import { ProductLink, UserLink, when } from "../history/items";
import { sentence } from "../parts/submit";
import type { LeftOut, LiveEvent, Row } from "./feed";

export function LiveRow({ row }: { row: Row }) {
  if ("event" in row) {
    const event = row.event;
    return (
      <li>
        {when(event.ts)}
        <strong>{event.type}</strong>
        <span><UserLink id={event.user_id} visitor={event.anonymous_id} /></span>
        <span><ProductLink id={event.product_id} sku={event.sku} /></span>
        <Details of={event} />
      </li>
    );
  }
  return <li class="quiet left-out">{leftOut(row)}</li>;
}

function leftOut({ events: count, why }: LeftOut): string {
  const events = count === null ? "Some events are" : count === 1 ? "One event is" : `${number(count)} events are`;
  switch (why) {
    case "omitted":
      return `${events} not shown one by one, because they came together with others of quite another time. The page Events has them.`;
    case "pause":
      return `${events} left out, because more came during the pause than fit here. The page Events has them.`;
    default:
      return `${events} left out here, because this page was away for too long or too slow. The page Events has them.`;
  }
}

// Details reads the properties of an event when somebody asks for them: the stream does not carry them.
function Details({ of }: { of: LiveEvent }) {
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
async function properties(of: LiveEvent): Promise<string> {
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
