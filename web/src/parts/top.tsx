// The products with the highest number, of all or of one category.
import { useState } from "preact/hooks";
import { address, type Answer } from "../api";
import { Ranking } from "./ranking";
import { amount, number } from "../format";
import { useAnswer } from "../load";
import { period } from "../period";
import { isMember } from "../rights";
import { go, link, query, same } from "../route";

type Top = Answer<"/analytics/products/top">;
type Item = Top["items"][number];

// Rank is a number that products are ranked by.
interface Rank {
  metric: "views" | "add_to_carts" | "purchases" | "units" | "net_minor";
  pill: string;
  title: string;
  column: string;
  sales?: boolean; // only members of the project see it
}

const ranks: [Rank, ...Rank[]] = [
  { metric: "views", pill: "views", title: "Most viewed products", column: "Views" },
  { metric: "add_to_carts", pill: "carts", title: "Products put into most carts", column: "Into carts" },
  { metric: "purchases", pill: "orders", title: "Products in most orders", column: "In orders", sales: true },
  { metric: "units", pill: "units", title: "Products sold most", column: "Units", sales: true },
  { metric: "net_minor", pill: "revenue", title: "Products that earned most", column: "Net revenue", sales: true },
];

export function TopProducts() {
  const p = period.value;
  const rank = ranks.find((r) => r.metric === query.value.get("rank") && (isMember.value || !r.sales)) ?? ranks[0];
  const category = query.value.get("category") ?? "";
  const loaded = useAnswer<Top>(address("/analytics/products/top", { from: p.from, to: p.to, metric: rank.metric, category: category || undefined, limit: 10 }));
  const beside: Rank = rank.metric === "purchases" ? ranks[0] : ranks[2]!;
  const currency = loaded.answer?.currency;
  return (
    <section class="card" aria-labelledby="top">
      <h2 id="top">{rank.title}</h2>
      <div class="pills filters">
        {ranks.filter((r) => isMember.value || !r.sales).map((r) => (
          <button key={r.metric} type="button" aria-pressed={r === rank} onClick={() => go(same({ rank: r === ranks[0] ? "" : r.metric }))}>{r.pill}</button>
        ))}
        {category === "" ? <Category /> : (
          <button type="button" aria-label={`Remove the filter: category ${category}`} onClick={() => go(same({ category: "" }))}>category: {category} ✕</button>
        )}
      </div>
      <Ranking
        caption={rank.title} columns={["Product", rank.column + (currency ? `, ${currency}` : ""), beside.column]}
        empty={category === "" ? "There is no such product in these days." : `There is no such product of the category ${category} in these days.`}
        rows={loaded.answer?.items.map((item) => ({
          key: item.product.id, name: <a href={link(["products", item.product.id])}>{item.product.name}</a>,
          value: item.value, shown: currency ? amount(item.value, currency) : number(item.value), more: [count(item, beside)],
        }))}
      />
    </section>
  );
}

function count(item: Item, rank: Rank): string {
  const n = rank.metric === "net_minor" ? undefined : item.counts[rank.metric];
  return n === undefined ? "–" : number(n);
}

function Category() {
  const [typed, setTyped] = useState("");
  const choose = (event: Event) => {
    event.preventDefault();
    if (typed.trim() !== "") go(same({ category: typed.trim() }));
  };
  return (
    <form onSubmit={choose}>
      <input aria-label="Only this category" placeholder="Category" maxLength={100} value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
    </form>
  );
}
