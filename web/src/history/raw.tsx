// The latest events as they are stored, with filters.
import { useState } from "preact/hooks";
import { address, type Answer } from "../api";
import { useAnswer } from "../load";
import { Failure } from "../parts/fresh";
import { Table } from "../parts/table";
import { period } from "../period";
import { go, query, same } from "../route";
import { ProductLink, Properties, UserLink, when } from "./items";

// filters are parameters of the address with their names.
const filters = [["type", "name"], ["user", "user"], ["sku", "product"]] as const;

export function RawEvents() {
  const p = period.value, given = (name: string) => query.value.get(name) ?? undefined;
  const loaded = useAnswer<Answer<"/events">>(
    address("/events", { type: given("type"), user_id: given("user"), sku: given("sku"), from: p.from, to: p.to, limit: 50, cursor: given("raw") }),
  );
  const next = loaded.answer?.next_cursor;
  return (
    <section class="card">
      <div class="head">
        <h2>Latest events</h2>
        <Filter />
      </div>
      <div class="pills filters">
        {filters.map(([id, name]) => given(id) !== undefined && (
          <button key={id} type="button" aria-label={`Remove the filter: ${name} ${given(id)}`} onClick={() => go(same({ [id]: "", raw: "" }))}>{name}: {given(id)} ✕</button>
        ))}
      </div>
      <Failure loaded={loaded} />
      <Table
        caption="Latest events" cursor="raw" next={next} columns={[{ name: "Time" }, { name: "Name" }, { name: "User" }, { name: "Product" }, { name: "Properties" }]}
        empty={next ? "Nothing on this page; earlier pages have more." : "No event fits. Raw events are kept for a limited time."}
        rows={loaded.answer?.items.map((e) => ({
          key: e.id,
          cells: [when(e.ts), e.type, <UserLink id={e.user_id} visitor={e.anonymous_id} />, <ProductLink id={e.product_id} sku={e.sku} />, <Properties of={e.properties} />],
        }))}
      />
    </section>
  );
}

function Filter() {
  const [by, setBy] = useState<(typeof filters)[number][0]>("type");
  const [text, setText] = useState("");
  const add = (event: SubmitEvent) => {
    event.preventDefault();
    if (text.trim() === "") return;
    go(same({ [by]: text.trim(), raw: "" }));
    setText("");
  };
  return (
    <form class="pills" role="search" onSubmit={add}>
      <select aria-label="Filter by" value={by} onChange={(event) => setBy(event.currentTarget.value as typeof by)}>
        <option value="type">Name</option>
        <option value="user">Id of the user</option>
        <option value="sku">SKU of the product</option>
      </select>
      <input type="search" aria-label="Value of the filter" maxLength={200} value={text} onInput={(event) => setText(event.currentTarget.value)} />
      <button>Filter</button>
    </form>
  );
}
