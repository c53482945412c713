// The script /hp.js: a tracker that the attributes of its element describe, as window.hp.
import { clicks, views } from "./page.js";
import { create, type Options, type Tracker } from "./tracker.js";

/** What a page calls before the script has come: the name of a method, and its arguments. */
type Call = [keyof Tracker, ...unknown[]];

declare global {
  interface Window {
    hp?: Tracker | Call[];
  }
}

const script = document.currentScript as HTMLScriptElement;
const early = window.hp;
if (!early || Array.isArray(early)) { // otherwise the page has the script twice
  const options = { api: script.src.replace(/(app\/assets\/)?[^/]*$/, ""), ...script.dataset } as Options & { auto?: string };
  const hp = (window.hp = create(options));
  for (const [name, ...values] of early ?? []) (hp[name] as (...values: unknown[]) => void)(...values);
  const auto = options.auto !== "false";
  clicks(hp, auto);
  if (auto) views(hp, options);
}
