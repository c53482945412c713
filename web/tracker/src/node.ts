// The package @hp-analytics/node: events and orders of a server, in batches, sent until the platform has them.
import { newId, type Event, type Properties } from "./event.js";
import { Lane } from "./lane.js";

export type { Event, Properties };

/** An event as it is handed in. It has a user_id, an anonymous_id or both. */
export type EventInput = Omit<Event, "id" | "ts"> & Partial<Pick<Event, "id" | "ts">>;

/** Who did something: a user, a visitor, or both. */
export interface Person {
  user_id?: string;
  anonymous_id?: string;
}

/** An order, as POST /orders takes it. */
export interface Order extends Person {
  /** The order's id in the shop. An order is counted once by it, whoever sends it. */
  id: string;
  /** ISO 4217. */
  currency: string;
  lines: OrderLine[];
  /** When it happened: ISO 8601. The time of the call by default. */
  ts?: string;
  properties?: Properties;
}

/** A line of an order. sku or product_id names the product. */
export interface OrderLine {
  sku?: string;
  product_id?: string;
  quantity: number;
  /** What was paid for the line, in minor units of the currency. The price of the product times quantity by default. */
  amount_minor?: number;
}

export interface Options {
  /** A secret key (hpa_…) with the scope ingest. It never goes into a page. */
  key: string;
  /** The address of the platform, such as https://analytics.example.com. */
  api: string;
  /** How many events or orders a request has at most. 100 by default, at most 1,000. */
  batch?: number;
  /** Milliseconds in which a batch gathers. 1,000 by default. */
  interval?: number;
  /** How many events, and how many orders, wait at most. Others are refused (onError). 10,000 by default. */
  waiting?: number;
  /** Gets what is lost, and why. It writes to the console by default. */
  onError?: (why: string, lost: (Event | Order)[]) => void;
}

/**
 * Analytics sends events and orders. The calls return at once and never throw. What they are given waits in memory until the platform has
 * confirmed it; it is sent again with the same id, so it is counted once. A process that ends by itself sends what waits, for at most 10
 * seconds. One that ends by a signal or process.exit has to call close first.
 */
export class Analytics {
  private readonly events: Lane<Event>;
  private readonly orders: Lane<Order>;

  constructor(o: Options) {
    const onError = o.onError ?? ((why, lost) => console.error(`hp-analytics: ${lost.length} lost: ${why}`));
    const lane = <T extends Event | Order>(path: string, member: string): Lane<T> =>
      new Lane<T>(`${o.api.replace(/\/$/, "")}${path}`, member, {
        key: o.key, batch: o.batch ?? 100, interval: o.interval ?? 1000, waiting: o.waiting ?? 10_000, onError,
      });
    this.events = lane<Event>("/events/bulk", "events");
    this.orders = lane<Order>("/orders/bulk", "orders");
    (globalThis as { process?: { once?(event: string, call: () => void): void } }).process?.once?.("beforeExit", () => void this.close());
  }

  /** track takes something that a user or visitor did. */
  track(event: EventInput): void {
    this.events.add({ ...event, id: event.id ?? newId(), ts: event.ts ?? new Date().toISOString() });
  }

  /** identify says who a visitor is, if person has both ids, and what is known of the user. */
  identify(person: Person & { user_id: string }, traits?: Properties): void {
    this.track({ ...person, type: "identify", properties: traits });
  }

  /** order takes an order with its lines. */
  order(order: Order): void {
    this.orders.add({ ...order, ts: order.ts ?? new Date().toISOString() });
  }

  /** flush waits until all that was handed in is stored or refused. */
  async flush(): Promise<void> {
    await Promise.all([this.events.flush(), this.orders.flush()]);
  }

  /** close is flush within a time in milliseconds. What is not stored then is lost (onError), and so is what is handed in later. */
  async close(timeout = 10_000): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([this.flush(), new Promise((resolve) => (timer = setTimeout(resolve, timeout)))]);
    clearTimeout(timer);
    this.events.stop();
    this.orders.stop();
  }
}
