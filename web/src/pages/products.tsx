import { useEffect, useState } from "preact/hooks";
import { address, type Answer } from "../api";
import { Failure } from "../parts/fresh";
import { money } from "../format";
import { useAnswer } from "../load";
import { go, link, query, same } from "../route";

type Products = Answer<"/products">;
const statuses = ["active", "archived", "all"] as const;

export function ProductsPage() {
  const asked = { q: query.value.get("q") ?? "", category: query.value.get("category") ?? "", cursor: query.value.get("cursor") ?? "" };
  const status = statuses.find((s) => s === query.value.get("status")) ?? "active";
  const loaded = useAnswer<Products>(address("/products", { ...asked, status, limit: 50 }));
  const products = loaded.answer;
  return (
    <>
      <div class="head">
        <h1>Products</h1>
        <div class="pills" role="search">
          <Search text={asked.q} />
          {statuses.map((s) => (
            <button key={s} type="button" aria-pressed={s === status} onClick={() => go(same({ status: s, cursor: "" }))}>{s}</button>
          ))}
          {asked.category !== "" && <button type="button" onClick={() => go(same({ category: "", cursor: "" }))}>{asked.category} ✕</button>}
        </div>
      </div>
      <Failure loaded={loaded} />
      {products?.items.length === 0 ? <p class="quiet">No product fits.</p> : <List products={products} />}
      <p class="pills">
        {asked.cursor !== "" && <a href={same({ cursor: "" })}>First page</a>}
        {products?.next_cursor && <a href={same({ cursor: products.next_cursor })}>Next page</a>}
      </p>
    </>
  );
}

function List({ products }: { products?: Products }) {
  return (
    <div class="card scroll" tabIndex={0} role="region" aria-label="Products">
      <table>
        <thead>
          <tr><th scope="col">Name</th><th scope="col">SKU</th><th scope="col">Category</th><th scope="col" class="number">Price</th><th scope="col">Status</th></tr>
        </thead>
        <tbody>
          {products?.items.map((p) => (
            <tr key={p.id}>
              <td class="name"><a href={link(["products", p.id])}>{p.name}</a>{p.placeholder && <span class="quiet"> (not described yet)</span>}</td>
              <td class="name">{p.sku}</td>
              <td>{p.category !== "" && <a href={same({ category: p.category, cursor: "" })}>{p.category}</a>}</td>
              <td class="number">{money(p.price_minor, p.currency)}</td>
              <td>{p.status}</td>
            </tr>
          )) ?? <tr><td class="name"><span class="skeleton" /></td><td /><td /><td /><td /></tr>}
        </tbody>
      </table>
    </div>
  );
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
