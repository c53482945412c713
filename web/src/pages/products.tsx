import { useEffect, useState } from "preact/hooks";
import { address, type Answer } from "../api";
import { Failure } from "../parts/fresh";
import { Table } from "../parts/table";
import { money } from "../format";
import { useAnswer } from "../load";
import { ProductForm } from "../products/form";
import { mayManage } from "../rights";
import { go, link, query, same } from "../route";

type Products = Answer<"/products">;
const statuses = ["active", "archived", "all"] as const;
const columns = [{ name: "Name" }, { name: "SKU" }, { name: "Category" }, { name: "Price", number: true }, { name: "Status" }];

export function ProductsPage() {
  const asked = { q: query.value.get("q") ?? "", category: query.value.get("category") ?? "", cursor: query.value.get("cursor") ?? "" };
  const status = statuses.find((s) => s === query.value.get("status")) ?? "active";
  const loaded = useAnswer<Products>(address("/products", { ...asked, status, limit: 50 }));
  const [creating, setCreating] = useState(false);
  const filtered = asked.q !== "" || asked.category !== "" || status !== "active";
  return (
    <>
      <div class="head">
        <h1>Products</h1>
        {mayManage.value && (
          <div class="pills">
            <a class="button" href={link(["products", "import"])}>Import CSV</a>
            <button type="button" class="primary" onClick={() => setCreating(true)}>New product</button>
          </div>
        )}
      </div>
      <div class="pills filters" role="search">
        <Search text={asked.q} />
        {statuses.map((s) => (
          <button key={s} type="button" aria-pressed={s === status} onClick={() => go(same({ status: s === "active" ? "" : s, cursor: "" }))}>{s}</button>
        ))}
        {asked.category !== "" && (
          <button type="button" aria-label={`Remove the filter: category ${asked.category}`} onClick={() => go(same({ category: "", cursor: "" }))}>category: {asked.category} ✕</button>
        )}
      </div>
      <Failure loaded={loaded} />
      <section class="card">
        <Table
          caption="Products" columns={columns} next={loaded.answer?.next_cursor} rows={loaded.answer?.items.map(row)}
          empty={loaded.answer?.next_cursor ? "No product fits so far. The next page searches on." : filtered ? "No product fits these filters." : "There are no products yet. Events with an unknown SKU can create them, too."}
        />
      </section>
      {creating && <ProductForm onSaved={(p) => go(link(["products", p.id]))} onClose={() => setCreating(false)} />}
    </>
  );
}

function row(p: Products["items"][number]) {
  const more = Object.keys(p.prices).length;
  return {
    key: p.id,
    cells: [
      <><a href={link(["products", p.id])}>{p.name}</a>{p.placeholder && <span class="quiet"> (not described yet)</span>}</>,
      p.sku,
      p.category !== "" && <a href={same({ category: p.category, cursor: "" })}>{p.category}</a>,
      <>{money(p.price_minor, p.currency)}{more > 0 && <span class="quiet" title={Object.keys(p.prices).join(", ")}> +{more}</span>}</>,
      p.status,
    ],
  };
}

// pause is how long a reader stops typing before the search begins, in milliseconds.
const pause = 250;

function Search({ text }: { text: string }) {
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => go(same({ q: typed, cursor: "" }), true), pause);
    return () => clearTimeout(timer);
  }, [typed]);
  return <input type="search" aria-label="Search products" placeholder="Name or SKU" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />;
}
