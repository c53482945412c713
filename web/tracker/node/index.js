var __defProp = Object.defineProperty;
var __defNormalProp = (obj, key, value) => key in obj ? __defProp(obj, key, { enumerable: true, configurable: true, writable: true, value }) : obj[key] = value;
var __publicField = (obj, key, value) => __defNormalProp(obj, typeof key !== "symbol" ? key + "" : key, value);

// src/event.ts
function newId() {
  const time = "0" + Date.now().toString(16);
  const digit = () => (crypto.getRandomValues(new Uint8Array(1))[0] & 15).toString(16);
  return (time + "-7rrr-arrr-rrrrrrrrrrrr").replace(/.{8}/, "$&-").replace(/r/g, digit);
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
    if (status < 500 && status !== 429 && !told(await answer.text(), status)) return [0, 0];
    asked = +answer.headers.get("Retry-After") * 1e3 || 0;
  } catch {
  }
  return [Math.max(asked, Math.min(1e3 * 2 ** failures, longestRetry) * (0.5 + Math.random() / 2)), asked];
}

// src/lane.ts
var passing = ["overloaded", "internal"];
var Lane = class {
  constructor(url, member, o) {
    __publicField(this, "url", url);
    __publicField(this, "member", member);
    __publicField(this, "o", o);
    __publicField(this, "items", []);
    __publicField(this, "sending");
    __publicField(this, "stopped", false);
    __publicField(this, "failures", 0);
    // attempts since something was stored or refused
    __publicField(this, "asked", 0);
    // how long the server asked to wait, in milliseconds: nothing but stop ends that
    __publicField(this, "wake", () => void 0);
  }
  add(item) {
    if (this.stopped) return this.o.onError("it came after close", [item]);
    if (this.items.length >= this.o.waiting) return this.o.onError("too many wait", [item]);
    this.items.push(item);
    if (this.items.length === 1 && !this.sending) this.sending = this.send(this.o.interval);
    else if (this.items.length === this.o.batch && !this.failures) this.wake();
  }
  async flush() {
    if (!this.asked) this.wake();
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
    while (this.items.length > 0) {
      const items = this.items.slice(0, this.o.batch);
      const body = JSON.stringify({ [this.member]: items });
      const headers = { "Authorization": `Bearer ${this.o.key}`, "Content-Type": "application/json" };
      let again = items;
      const [wait, asked] = await post(this.url, { body, headers }, this.failures, (text, status) => {
        again = this.settle(items, text, status);
        return again.length > 0;
      });
      if (this.stopped) return;
      this.items.splice(0, items.length, ...again);
      this.asked = asked;
      this.failures = again.length < items.length ? 0 : this.failures + 1;
      if (wait > 0) await this.pause(wait);
      this.asked = 0;
    }
    this.sending = void 0;
  }
  /** settle tells what is lost, a batch that is refused or items of it, and returns the items that are to be sent again. */
  settle(items, text, status) {
    let errors = [];
    try {
      errors = (JSON.parse(text).errors ?? []).filter((error) => error.index >= 0);
    } catch {
    }
    if (status >= 300 && errors.length === 0) this.o.onError(`${status} ${text}`, items);
    const again = /* @__PURE__ */ new Set();
    for (const { index, pointer, code, detail } of errors) {
      if (passing.includes(code)) again.add(index);
      else this.o.onError(`${pointer} ${detail}`.trim(), items.slice(index, index + 1));
    }
    return items.filter((_, index) => again.has(index));
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
