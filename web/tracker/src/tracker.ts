// The tracker of pages: it captures what a visitor does, and sends it until the server has it.
import { device } from "./device.js";
import { newId, type Properties } from "./event.js";
import { gathering, mostInFlight } from "./limits.js";
import { post } from "./post.js";

export interface Options {
  /** The public key (hpw_…). */
  key: string | undefined;
  /** The address of the platform, such as https://analytics.example.com. */
  api: string;
  /**
   * How visitors are told apart. "daily" (the default): by a random id that is replaced each day (UTC), so a person is a new visitor each day.
   * "first-party": by a random id that stays in localStorage. "none": nothing is stored on the device, and each page that is loaded is a
   * visitor of its own.
   */
  ids?: "none" | "daily" | "first-party" | undefined;
  /** "ignore" counts visitors who send Global Privacy Control or Do Not Track, too. By default they are not counted. */
  signals?: "ignore" | undefined;
  /** "keep" lets the property url have the query of the address. By default it has only the path: queries may hold what is private. */
  query?: "keep" | undefined;
}

export interface Tracker {
  /** track captures an event. It never throws. sku names the product that it is about. */
  track(type: string, properties?: Properties, sku?: string): void;
  /** page captures a view of the page. */
  page(properties?: Properties): void;
  /** identify says who the visitor is. Later events of this page are the user's. */
  identify(userId: string, traits?: Properties): void;
  /** reset forgets the user, and the visitor becomes another: for signing out. */
  reset(): void;
  /** view captures that a product was seen. */
  view(sku: string, properties?: Properties): void;
  /** click captures that a product was clicked. */
  click(sku: string, properties?: Properties): void;
  /** addToCart captures that a product was put into the cart. Orders are sent by servers: a visitor could invent them. */
  addToCart(sku: string, properties?: Properties): void;
}

/** create returns a tracker and starts to send what waits from former pages. */
export function create(o: Options): Tracker {
  const reason = silence(o);
  if (reason) console.info(`hp: not counted: ${reason}`);
  const kept = device(!reason && o.ids !== "none", o.key!);
  const url = o.api.replace(/\/$/, "") + "/events/beacon";
  let user: string | undefined;
  let referrer = document.referrer;
  let failures = 0;
  let asked = 0; // how long the server asked to wait after the last request, in milliseconds
  let timer: ReturnType<typeof setTimeout> | 0 = 0;
  let flying: string[] = []; // the ids of the events of the request that is in flight

  const flush = async (leaving?: boolean): Promise<void> => {
    const events = kept.all().filter((event) => !flying.includes(event.id));
    // A page that is left while the server is away, or asks to wait, leaves its events to the next page.
    if (!events[0] || (leaving ? failures : flying[0])) return;
    let body: string; // a text needs no preflight
    let size: number; // in bytes
    do {
      body = JSON.stringify({ key: o.key, sent_at: now(), events });
      size = new Blob([body]).size;
    } while (size >= mostInFlight && events[1] && (events.length >>= 1)); // the others follow
    if (leaving) {
      navigator.sendBeacon(url, body); // nothing tells whether it arrives, so the next page sends it again
      return;
    }
    flying = events.map((event) => event.id);
    let wait: number;
    [wait, asked] = await post(url, { body, keepalive: size < mostInFlight, credentials: "omit" }, failures, (text) => {
      if (/"(code|dropped)":/.test(text)) console.warn("hp:", text); // something was refused
    });
    flying = [];
    failures = wait && failures + 1;
    if (!wait) kept.remove(events);
    clearTimeout(timer);
    timer = 0;
    later(wait);
  };
  const later = (wait: number): void => {
    timer ||= setTimeout(() => {
      timer = 0;
      flush();
    }, wait);
  };

  const track: Tracker["track"] = (type, properties, sku) => {
    if (reason) return;
    try {
      kept.put({ id: newId(), type, ts: now(), anonymous_id: kept.visitor(o.ids === "first-party" ? "" : now().slice(0, 10)), user_id: user, sku, properties });
      later(gathering);
    } catch (error) {
      console.warn("hp:", error);
    }
  };
  const product = (type: string) => (sku: string, properties?: Properties) => track(type, properties, sku);

  if (!reason) {
    const hurry = () => asked || flush();
    addEventListener("online", hurry);
    addEventListener("visibilitychange", hurry); // nothing else may come after it on a phone
    addEventListener("pagehide", () => flush(true));
    later(0);
  }
  return {
    track,
    page(properties) {
      const campaign: Properties = {};
      for (const [name, value] of new URLSearchParams(location.search)) if (/^utm_/.test(name)) campaign[name] = value;
      const here = address(o);
      track("page", { url: here, referrer: referrer || undefined, ...campaign, ...properties });
      referrer = here;
    },
    identify(userId, traits) {
      user = userId;
      track("identify", traits);
    },
    reset() {
      user = undefined;
      kept.forget();
    },
    view: product("view"),
    click: product("click"),
    addToCart: product("add_to_cart"),
  };
}

const now = (): string => new Date().toISOString();

/** address returns that of the page, without what may be private. */
export const address = (o: Options): string => location.origin + location.pathname + (o.query ? location.search : "");

/** silence returns why this visitor is not counted, or nothing. */
function silence(o: Options): string | false {
  if (!o.key) return "no key";
  if (navigator.webdriver) return "navigator.webdriver";
  const signal = (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl || navigator.doNotTrack === "1";
  return !o.signals && signal && "GPC or DNT";
}
