import { address, type Answer } from "../api";
import { Figure } from "../parts/figure";
import { Failure, Fresh } from "../parts/fresh";
import { PeriodPicker, usePeriodKeys } from "../parts/period";
import { SeriesChart } from "../parts/series";
import { amount, money, number } from "../format";
import { useAnswer } from "../load";
import { interval, period } from "../period";
import { ProductActions } from "../products/actions";
import type { Product } from "../products/content";
import { go, link, query, same } from "../route";

type Count = "views" | "clicks" | "add_to_carts" | "purchases" | "units" | "unique_users";

const counts: [id: Count, name: string][] = [
  ["views", "Views"], ["clicks", "Clicks"], ["add_to_carts", "Put into a cart"], ["purchases", "Orders"], ["units", "Units"], ["unique_users", "Users"],
];

export function ProductPage({ id }: { id: string }) {
  usePeriodKeys();
  const p = period.value;
  const loaded = useAnswer<Answer<"/analytics/products/{id}/timeseries">>(
    address("/analytics/products/{id}/timeseries", { from: p.from, to: p.to, interval: interval.value }, { id }),
  );
  const series = loaded.answer;
  const described = useAnswer<Product>(address("/products/{id}", undefined, { id }));
  const [metric, name] = counts.find(([id]) => id === query.value.get("metric")) ?? counts[0]!;
  return (
    <>
      <div class="head">
        <h1>{described.answer?.name ?? series?.product.name ?? <span class="skeleton" />} <span class="quiet">{described.answer?.sku ?? series?.product.sku}</span></h1>
        {described.answer && <ProductActions product={described.answer} onChanged={described.retry} />}
      </div>
      {described.answer && <Description product={described.answer} />}
      <Failure loaded={described} />
      <div class="head"><PeriodPicker /></div>
      <Fresh loaded={loaded} />
      <div class="figures">
        {counts.map(([id, name]) => (
          <Figure
            key={id} name={name} pressed={id === metric} value={series && number(series.totals[id] ?? 0)}
            course={series?.points.map((point) => point[id] ?? 0)} onPress={() => go(same({ metric: id }))}
          />
        ))}
        {series?.totals.revenue?.map((r) => (
          <Figure
            key={r.currency} name={`Revenue in ${r.currency}`} value={amount(r.net_minor, r.currency)}
            title={`${money(r.gross_minor, r.currency)} earned, ${money(r.refunded_minor, r.currency)} paid back`}
          />
        ))}
      </div>
      <section class="card" aria-label={name}>
        <h2>{name}</h2>
        <SeriesChart name={name} series={series} at={(point) => point[metric]} />
      </section>
    </>
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
