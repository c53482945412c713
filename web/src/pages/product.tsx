import { useRef } from "preact/hooks";
import { address } from "../api";
import { useAnnotations } from "../parts/annotations";
import { Figure } from "../parts/figure";
import { Failure, Fresh } from "../parts/fresh";
import { Funnel } from "../parts/funnel";
import { PeriodPicker, usePeriodKeys } from "../parts/period";
import { SeriesChart } from "../parts/series";
import { Share } from "../parts/share";
import { Table } from "../parts/table";
import { money, number } from "../format";
import { useAnswer } from "../load";
import { before, interval, period } from "../period";
import { ProductActions } from "../products/actions";
import { compared, CompareButtons, Comparison } from "../products/compare";
import type { Product } from "../products/content";
import { measures, type Measure, type Series } from "../products/measures";
import { SaveButtons } from "../products/save";
import { go, link, query, same } from "../route";

const report = (id: string, days: { from: string; to: string }): string =>
  address("/analytics/products/{id}/timeseries", { from: days.from, to: days.to, interval: interval.value }, { id });

export function ProductPage({ id }: { id: string }) {
  usePeriodKeys();
  const p = period.value, url = report(id, p), compare = compared();
  const loaded = useAnswer<Series>(url);
  const described = useAnswer<Product>(address("/products/{id}", undefined, { id }));
  const other = useAnswer<Series>(compare === "" ? "" : compare === "previous" ? report(id, before(p)) : report(compare, p));
  const series = loaded.answer, product = described.answer;
  const all = measures(series), chosen = all.find((m) => m.id === query.value.get("metric")) ?? all[0]!;
  return (
    <>
      <div class="head">
        <h1>{product?.name ?? series?.product.name ?? <span class="skeleton" />} <span class="quiet">{product?.sku ?? series?.product.sku}</span></h1>
        {product && <ProductActions product={product} onChanged={described.retry} />}
      </div>
      {product && <Description product={product} />}
      <Failure loaded={described} />
      {!product && !described.error ? <p><span class="skeleton" /></p> : <>
        <div class="head">
          <PeriodPicker />
          {series && <Share name={series.product.name} report={{ kind: "product", product_id: id }} />}
        </div>
        <Fresh loaded={loaded} />
        <Failure loaded={other} />
        <div class="figures">
          {all.map((m) => (
            <Figure
              key={m.id} name={m.name} title={m.means} pressed={m.id === chosen.id} value={series && shown(m, series)}
              course={series?.points.map((point) => m.at(point) ?? 0)} onPress={() => go(same({ metric: m.id }))}
            />
          ))}
          {!series && <><Figure name="Revenue" /><Figure name="Refunds" /></>}
        </div>
        <Course id={id} url={url} measure={chosen} series={series} other={compare === "" ? undefined : other.answer} />
        <div class="columns">
          {series && <Steps series={series} />}
          {series && <Revenue series={series} />}
        </div>
        {series && compare !== "" && other.answer && <Comparison series={series} other={other.answer} />}
      </>}
    </>
  );
}

function shown(m: Measure, { totals }: Series): string {
  const value = m.at(totals);
  if (value === undefined) return "–";
  return (m.id === "unique_users" && !totals.unique_users_exact ? "≈ " : "") + m.write(value);
}

// Course is the chart of one number, with what can be done with it.
function Course({ id, url, measure, series, other }: { id: string; url: string; measure: Measure; series?: Series; other?: Series }) {
  const box = useRef<HTMLElement>(null), { from, to } = period.value;
  const annotations = useAnnotations();
  const missing = series?.points.some((point) => measure.at(point) === undefined);
  const name = series ? `${series.product.sku}-${from}-${to}`.replace(/[^\p{L}\p{N}._-]/gu, "_") : "";
  return (
    <section class="card" ref={box} aria-labelledby="course">
      <div class="head start">
        <h2 id="course">{measure.name}</h2>
        <CompareButtons id={id} other={other} />
        {series && <SaveButtons url={url} name={name} chart={box} title={`${series.product.name}: ${measure.name}, ${from} – ${to}`} />}
      </div>
      {missing && measure.id === "unique_users" && <p class="quiet">Users are counted by the day, so hours have none.</p>}
      <SeriesChart
        name={measure.name} series={series} before={other} beforeName={compared() === "previous" ? "before" : other?.product.name} at={measure.at} write={measure.write} brief={measure.brief}
        annotations={annotations}
      />
      {annotations.list}
    </section>
  );
}

function Steps({ series: { totals } }: { series: Series }) {
  return (
    <section class="card">
      <h2>From view to order</h2>
      {totals.purchases === undefined ? <p class="quiet">Only members of the project see orders.</p> : (
        <>
          <Funnel
            steps={[
              { name: "Views", unit: "views", count: totals.views }, { name: "Put into a cart", unit: "carts", count: totals.add_to_carts },
              { name: "Orders", unit: "orders", count: totals.purchases },
            ]}
          />
          <p class="quiet">Counts of events and orders, not of people: one person can view often, and an order needs no view.</p>
        </>
      )}
    </section>
  );
}

function Revenue({ series: { totals } }: { series: Series }) {
  const rows = totals.revenue?.map((r) => ({
    key: r.currency, cells: [r.currency, money(r.gross_minor, r.currency), money(r.refunded_minor, r.currency), money(r.net_minor, r.currency), number(r.units)],
  }));
  return (
    <section class="card">
      <h2>Revenue and refunds</h2>
      <Table
        caption="Revenue and refunds" rows={rows ?? []} empty="Nothing was bought or paid back in these days."
        columns={[{ name: "Currency" }, ...["Earned", "Paid back", "Left", "Units"].map((name) => ({ name, number: true }))]}
      />
    </section>
  );
}

// Description says what the catalog knows of a product.
function Description({ product }: { product: Product }) {
  const prices = [[product.currency, product.price_minor] as const, ...Object.entries(product.prices)];
  return (
    <div class="described">
      <p class="pills">
        <span class="badge">{product.status}</span>
        {product.placeholder && <span class="badge">not described yet</span>}
        {product.category !== "" && <a href={link(["products"], { category: product.category })}>{product.category}</a>}
        <span>{prices.map(([currency, minor]) => money(minor, currency)).join(" · ")}</span>
      </p>
      {product.description !== "" && <p>{product.description}</p>}
    </div>
  );
}
