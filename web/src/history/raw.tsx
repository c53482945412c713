// The latest events as they are stored, with filters.
import { address, type Answer } from "../api";
import { useAnswer } from "../load";
import { Failure } from "../parts/fresh";
import { Table } from "../parts/table";
import { period } from "../period";
import { query } from "../route";
import { Filter, FilterPills } from "./filter";
import { ProductLink, Properties, UserLink, when } from "./items";

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
      <FilterPills />
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
