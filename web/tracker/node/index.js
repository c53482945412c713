var __defProp = Object.defineProperty;
var __defNormalProp = (obj, key, value) => key in obj ? __defProp(obj, key, { enumerable: true, configurable: true, writable: true, value }) : obj[key] = value;
var __publicField = (obj, key, value) => __defNormalProp(obj, typeof key !== "symbol" ? key + "" : key, value);

// src/event.ts
function newId() {
  let hex = Date.now().toString(16).padStart(12, "0");
  crypto.getRandomValues(new Uint8Array(10)).forEach((byte) => hex += byte.toString(16).padStart(2, "0"));
  return hex.replace(/(.{8})(.{4}).(.{3}).(.{3})(.{12})/, "$1-$2-7$3-a$4-$5");
}

// src/limits.ts
var longestRetry = 3e5;
var patience = 3e4;

// src/post.ts
async function post(url, request, failures, told) {
  let asked = 0;
  try {
    const answer = await fetch(url, { method: "POST", signal: AbortSignal.timeout?.(patience), ...request });
    const status = answer.status;
    if (status < 500 && status !== 429) {
      told(await answer.text(), status);
      return 0;
    }
    asked = +answer.headers.get("Retry-After") * 1e3 || 0;
  } catch {
  }
  return Math.max(asked, Math.min(1e3 * 2 ** failures, longestRetry) * (0.5 + Math.random() / 2));
}

// src/lane.ts
var Lane = class {
  constructor(url, member, o) {
    __publicField(this, "url", url);
    __publicField(this, "member", member);
    __publicField(this, "o", o);
    __publicField(this, "items", []);
    __publicField(this, "sending");
    __publicField(this, "stopped", false);
    __publicField(this, "wake", () => void 0);
  }
  add(item) {
    if (this.stopped) return this.o.onError("it came after close", [item]);
    if (this.items.length >= this.o.waiting) return this.o.onError("too many wait", [item]);
    this.items.push(item);
    if (this.items.length === 1 && !this.sending) this.sending = this.send(this.o.interval);
    else if (this.items.length === this.o.batch) this.wake();
  }
  async flush() {
    this.wake();
    await this.sending;
  }
  stop() {
    this.stopped = true;
    this.wake();
    const lost = this.items;
    this.items = [];
    if (lost.length > 0) this.o.onError("the platform did not answer in time", lost);
  }
  /** send sends all that waits, batch by batch, after a time in which the first gathers. */
  async send(gather) {
    await this.pause(gather);
    for (let failures = 0; this.items.length > 0; ) {
      const items = this.items.slice(0, this.o.batch);
      const body = JSON.stringify({ [this.member]: items });
      const headers = { "Authorization": `Bearer ${this.o.key}`, "Content-Type": "application/json" };
      const wait = await post(this.url, { body, headers }, failures, (text, status) => this.settle(items, text, status));
      if (this.stopped) return;
      if (wait > 0) {
        failures++;
        await this.pause(wait);
      } else {
        failures = 0;
        this.items.splice(0, items.length);
      }
    }
    this.sending = void 0;
  }
  /** settle tells what is lost: a batch that is refused, or items of it. */
  settle(items, text, status) {
    if (status >= 300) return this.o.onError(`${status} ${text}`, items);
    let errors = [];
    try {
      errors = JSON.parse(text).errors ?? [];
    } catch {
    }
    for (const { index, pointer, detail } of errors) this.o.onError(`${pointer} ${detail}`.trim(), items.slice(index, index + 1));
  }
  /** pause waits, until wake is called. The process need not go on for it. */
  async pause(wait) {
    if (this.stopped) return;
    let timer;
    await new Promise((resolve) => {
      this.wake = resolve;
      timer = setTimeout(resolve, wait);
      timer.unref?.();
    });
    clearTimeout(timer);
  }
};

// src/node.ts
var Analytics = class {
  constructor(o) {
    __publicField(this, "events");
    __publicField(this, "orders");
    const onError = o.onError ?? ((why, lost) => console.error(`hp-analytics: ${lost.length} lost: ${why}`));
    const lane = (path, member) => new Lane(`${o.api.replace(/\/$/, "")}${path}`, member, {
      key: o.key,
      batch: o.batch ?? 100,
      interval: o.interval ?? 1e3,
      waiting: o.waiting ?? 1e4,
      onError
    });
    this.events = lane("/events/bulk", "events");
    this.orders = lane("/orders/bulk", "orders");
    globalThis.process?.once?.("beforeExit", () => void this.close());
  }
  /** track takes something that a user or visitor did. */
  track(event) {
    this.events.add({ ...event, id: event.id ?? newId(), ts: event.ts ?? (/* @__PURE__ */ new Date()).toISOString() });
  }
  /** identify says who a visitor is, if person has both ids, and what is known of the user. */
  identify(person, traits) {
    this.track({ ...person, type: "identify", properties: traits });
  }
  /** order takes an order with its lines. */
  order(order) {
    this.orders.add({ ...order, ts: order.ts ?? (/* @__PURE__ */ new Date()).toISOString() });
  }
  /** flush waits until all that was handed in is stored or refused. */
  async flush() {
    await Promise.all([this.events.flush(), this.orders.flush()]);
  }
  /** close is flush within a time in milliseconds. What is not stored then is lost (onError), and so is what is handed in later. */
  async close(timeout = 1e4) {
    let timer;
    await Promise.race([this.flush(), new Promise((resolve) => timer = setTimeout(resolve, timeout))]);
    clearTimeout(timer);
    this.events.stop();
    this.orders.stop();
  }
};
export {
  Analytics
};
