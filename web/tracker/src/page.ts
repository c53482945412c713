// What is captured without a line of code: views of pages, clicks on marked elements, and links to other sites.
import type { Properties } from "./event.js";
import { address, type Options, type Tracker } from "./tracker.js";

/** views captures the view of this page, and of each page that a script or the browser's history shows in its place. */
export function views(hp: Tracker, o: Options): void {
  let seen: string;
  const look = (): void => {
    const here = address(o);
    if (here !== seen) {
      seen = here;
      hp.page();
    }
  };
  for (const name of ["pushState", "replaceState"] as const) {
    const change = history[name];
    history[name] = function (...to) {
      change.apply(this, to);
      look();
    };
  }
  addEventListener("popstate", look);
  addEventListener("pageshow", (event) => event.persisted && hp.page()); // out of the back/forward cache
  // A page that is drawn ahead is seen when it is shown.
  if ((document as { prerendering?: boolean }).prerendering) addEventListener("prerenderingchange", look, { once: true });
  else look();
}

/** clicks captures clicks on elements with data-hp-event, and if all is set, on links to other sites. */
export function clicks(hp: Tracker, all: boolean): void {
  const click = (event: MouseEvent): void => {
    const target = event.target as Element;
    if (event.button > 1 || !target.closest) return;
    const marked = target.closest<HTMLElement>("[data-hp-event]");
    if (marked) {
      const properties: Properties = {};
      for (const { name, value } of marked.attributes) if (/^data-hp-(?!event$|sku$)/.test(name)) properties[name.slice(8)] = value;
      hp.track(marked.dataset["hpEvent"]!, properties, marked.dataset["hpSku"]);
    }
    const link = target.closest<HTMLAnchorElement>("a[href]");
    if (all && link && /^http/.test(link.protocol) && link.host !== location.host) hp.track("outbound_link", { url: link.origin + link.pathname });
  };
  addEventListener("click", click, true);
  addEventListener("auxclick", click, true);
}
