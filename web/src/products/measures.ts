// The numbers of a product that have a course.
import type { Schemas } from "../api";
import { amount, briefMoney, number } from "../format";

export type Series = Schemas["Series"];

export interface Measure {
  id: string;
  name: string;
  means: string;
  at: (counts: Schemas["SeriesPoint"] | Schemas["Counts"]) => number | undefined; // guests see no sales, and hours have no users
  write: (value: number) => string;
  brief?: (value: number) => string;
}

const counts: [id: "views" | "clicks" | "add_to_carts" | "purchases" | "units" | "unique_users", name: string, means: string][] = [
  ["views", "Views", "Events named view."], ["clicks", "Clicks", "Events named click."], ["add_to_carts", "Put into a cart", "Events named add_to_cart."],
  ["purchases", "Orders", "Orders with a line of this product."], ["units", "Units", "Units that were bought, returned ones included."],
  ["unique_users", "Users", "Distinct users with an event or an order of this product."],
];

// measures returns the counts, and what came in and went back in each currency of the series.
export function measures(...series: (Series | undefined)[]): Measure[] {
  const currencies = [...new Set(series.flatMap((s) => s?.totals.revenue?.map((r) => r.currency) ?? []))].sort();
  const money = currencies.flatMap((currency) => {
    const of = (id: "net_minor" | "refunded_minor", name: string, means: string): Measure => ({
      id: `${id}_${currency}`, name: `${name} in ${currency}`, means, write: (minor) => amount(minor, currency), brief: (minor) => briefMoney(minor, currency),
      at: (c) => c.revenue?.find((r) => r.currency === currency)?.[id] ?? 0,
    });
    return [of("net_minor", "Revenue", "What was earned, less what was paid back."), of("refunded_minor", "Refunds", "What was paid back, on the day of the refund.")];
  });
  return [...counts.map(([id, name, means]): Measure => ({ id, name, means, at: (c) => c[id], write: number })), ...money];
}
