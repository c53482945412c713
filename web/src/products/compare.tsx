// A product beside another one, or beside itself in the period before.
import { useState } from "preact/hooks";
import { address, type Answer } from "../api";
import { change } from "../format";
import { useAnswer } from "../load";
import { Dialog } from "../parts/dialog";
import { Failure } from "../parts/fresh";
import { Table } from "../parts/table";
import { go, query, same } from "../route";
import { measures, type Series } from "./measures";

// compared is what the address compares with: "previous", the id of a product, or nothing.
export const compared = (): string => query.value.get("compare") ?? "";

export function CompareButtons({ id, other }: { id: string; other?: Series }) {
  const [picking, setPicking] = useState(false);
  const with_ = compared(), product = with_ !== "" && with_ !== "previous";
  return (
    <div class="pills" role="group" aria-label="Compare">
      <button type="button" aria-pressed={with_ === "previous"} onClick={() => go(same({ compare: with_ === "previous" ? "" : "previous" }))}>Previous period</button>
      <button type="button" aria-pressed={product} onClick={() => setPicking(true)}>Another product</button>
      {product && <button type="button" aria-label="End the comparison" onClick={() => go(same({ compare: "" }))}>{other?.product.name ?? "…"} ✕</button>}
      {picking && <Picker not={id} onClose={() => setPicking(false)} />}
    </div>
  );
}

// Picker finds the product to compare with.
function Picker({ not, onClose }: { not: string; onClose: () => void }) {
  const [text, setText] = useState("");
  const loaded = useAnswer<Answer<"/products">>(address("/products", { q: text, status: "all", limit: 10 }));
  const found = loaded.answer?.items.filter((p) => p.id !== not);
  const choose = (id: string) => {
    go(same({ compare: id }));
    onClose();
  };
  return (
    <Dialog title="Compare with" onClose={onClose}>
      <div class="form">
        <input type="search" aria-label="Search products" placeholder="Name or SKU" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <Failure loaded={loaded} />
        {found?.map((p) => <button key={p.id} type="button" onClick={() => choose(p.id)}>{p.name} <span class="quiet">{p.sku}</span></button>)}
        {found?.length === 0 && <p class="quiet">No other product fits.</p>}
      </div>
    </Dialog>
  );
}

// Comparison has the numbers of both in a table.
export function Comparison({ series, other }: { series: Series; other: Series }) {
  const name = compared() === "previous" ? "Before" : other.product.name;
  const rows = measures(series, other).map((m) => {
    const [mine, theirs] = [m.at(series.totals), m.at(other.totals)];
    const relative = mine === undefined || !theirs ? "–" : change((mine - theirs) / Math.abs(theirs));
    const shown = (n: number | undefined) => (n === undefined ? "–" : m.write(n));
    return { key: m.id, cells: [m.name, shown(mine), shown(theirs), relative] };
  });
  return (
    <section class="card">
      <h2>Compared with {compared() === "previous" ? "the period before" : name}</h2>
      <Table
        caption="Comparison" empty="" rows={rows}
        columns={[{ name: "Number" }, { name: series.product.name, number: true }, { name, number: true }, { name: "Difference", number: true }]}
      />
      {series.points.some((point) => !point.complete) && <p class="quiet">These days are not over, so {series.product.name} has a part of them only.</p>}
    </section>
  );
}
