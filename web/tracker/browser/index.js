// src/event.ts
function newId() {
  const time = "0" + Date.now().toString(16);
  const digit = () => (crypto.getRandomValues(new Uint8Array(1))[0] & 15).toString(16);
  return (time + "-7rrr-arrr-rrrrrrrrrrrr").replace(/.{8}/, "$&-").replace(/r/g, digit);
}

// src/limits.ts
var mostWaiting = 50;
var longestWaiting = 6048e5;
var gathering = 100;
var mostInFlight = 6e4;
var longestRetry = 3e5;
var patience = 3e4;

// src/device.ts
function device(store, key) {
  const prefix = `hp:${key}:`;
  let place = {};
  try {
    if (store) place = localStorage;
  } catch {
  }
  const keep = (name, text) => {
    try {
      place[name] = text;
    } catch {
      place = { ...place, [name]: text };
    }
  };
  const all = () => {
    const names = Object.keys(place).filter((name) => name.startsWith(prefix)).sort();
    return names.flatMap((name, i) => {
      try {
        const event = JSON.parse(place[name]);
        if (i >= names.length - mostWaiting && Date.parse(event.ts) > Date.now() - longestWaiting) return event;
      } catch {
      }
      delete place[name];
      return [];
    });
  };
  return {
    visitor(day) {
      let [since, id] = (place["hp.id"] ?? "").split(" ");
      if (since !== day || !id) keep("hp.id", `${day} ${id = newId()}`);
      return id;
    },
    forget() {
      delete place["hp.id"];
    },
    put(event) {
      keep(prefix + event.id, JSON.stringify(event));
      all();
    },
    all,
    remove(events) {
      for (const event of events) delete place[prefix + event.id];
    }
  };
}

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

// src/tracker.ts
function create(o) {
  const reason = silence(o);
  if (reason) console.info(`hp: not counted: ${reason}`);
  const kept = device(!reason && o.ids !== "none", o.key);
  const url = o.api.replace(/\/$/, "") + "/events/beacon";
  let user;
  let referrer = document.referrer;
  let failures = 0;
  let asked = 0;
  let timer = 0;
  let flying = [];
  const flush = async (leaving) => {
    const events = kept.all().filter((event) => !flying.includes(event.id));
    if (!events[0] || (leaving ? failures : flying[0])) return;
    let body;
    let size;
    do {
      body = JSON.stringify({ key: o.key, sent_at: now(), events });
      size = new Blob([body]).size;
    } while (size >= mostInFlight && events[1] && (events.length >>= 1));
    if (leaving) {
      navigator.sendBeacon(url, body);
      return;
    }
    flying = events.map((event) => event.id);
    let wait;
    [wait, asked] = await post(url, { body, keepalive: size < mostInFlight, credentials: "omit" }, failures, (text) => {
      if (/"(code|dropped)":/.test(text)) console.warn("hp:", text);
    });
    flying = [];
    failures = wait && failures + 1;
    if (!wait) kept.remove(events);
    clearTimeout(timer);
    timer = 0;
    later(wait);
  };
  const later = (wait) => {
    timer || (timer = setTimeout(() => {
      timer = 0;
      flush();
    }, wait));
  };
  const track = (type, properties, sku) => {
    if (reason) return;
    try {
      kept.put({ id: newId(), type, ts: now(), anonymous_id: kept.visitor(o.ids === "first-party" ? "" : now().slice(0, 10)), user_id: user, sku, properties });
      later(gathering);
    } catch (error) {
      console.warn("hp:", error);
    }
  };
  const product = (type) => (sku, properties) => track(type, properties, sku);
  if (!reason) {
    const hurry = () => asked || flush();
    addEventListener("online", hurry);
    addEventListener("visibilitychange", hurry);
    addEventListener("pagehide", () => flush(true));
    later(0);
  }
  return {
    track,
    page(properties) {
      const campaign = {};
      for (const [name, value] of new URLSearchParams(location.search)) if (/^utm_/.test(name)) campaign[name] = value;
      const here = address(o);
      track("page", { url: here, referrer: referrer || void 0, ...campaign, ...properties });
      referrer = here;
    },
    identify(userId, traits) {
      user = userId;
      track("identify", traits);
    },
    reset() {
      user = void 0;
      kept.forget();
    },
    view: product("view"),
    click: product("click"),
    addToCart: product("add_to_cart")
  };
}
var now = () => (/* @__PURE__ */ new Date()).toISOString();
var address = (o) => location.origin + location.pathname + (o.query ? location.search : "");
function silence(o) {
  if (!o.key) return "no key";
  if (navigator.webdriver) return "navigator.webdriver";
  const signal = navigator.globalPrivacyControl || navigator.doNotTrack === "1";
  return !o.signals && signal && "GPC or DNT";
}

// src/page.ts
function views(hp, o) {
  let seen;
  const look = () => {
    const here = address(o);
    if (here !== seen) {
      seen = here;
      hp.page();
    }
  };
  for (const name of ["pushState", "replaceState"]) {
    const change = history[name];
    history[name] = function(...to) {
      change.apply(this, to);
      look();
    };
  }
  addEventListener("popstate", look);
  addEventListener("pageshow", (event) => event.persisted && hp.page());
  if (document.prerendering) addEventListener("prerenderingchange", look, { once: true });
  else look();
}
function clicks(hp, all) {
  const click = (event) => {
    const target = event.target;
    if (event.button > 1 || !target.closest) return;
    const marked = target.closest("[data-hp-event]");
    if (marked) {
      const properties = {};
      for (const { name, value } of marked.attributes) if (/^data-hp-(?!event$|sku$)/.test(name)) properties[name.slice(8)] = value;
      hp.track(marked.dataset["hpEvent"], properties, marked.dataset["hpSku"]);
    }
    const link = target.closest("a[href]");
    if (all && link && /^http/.test(link.protocol) && link.host !== location.host) hp.track("outbound_link", { url: link.origin + link.pathname });
  };
  addEventListener("click", click, true);
  addEventListener("auxclick", click, true);
}

// src/browser.ts
function init(options) {
  if (typeof document === "undefined") {
    const nothing = () => void 0;
    return { track: nothing, page: nothing, identify: nothing, reset: nothing, view: nothing, click: nothing, addToCart: nothing };
  }
  const hp = create(options);
  const auto = options.auto ?? true;
  clicks(hp, auto);
  if (auto) views(hp, options);
  return hp;
}
export {
  init
};
