// The package @hp-analytics/browser.
import { clicks, views } from "./page.js";
import { create, type Options as TrackerOptions, type Tracker } from "./tracker.js";

export type { Properties } from "./event.js";
export type { Tracker };

export interface Options extends TrackerOptions {
  /** Whether views of pages and links to other sites are captured without a call. Yes by default. */
  auto?: boolean;
}

/** init returns a tracker for this page. Call it once. Without a page, as on a server that renders, the tracker does nothing. */
export function init(options: Options): Tracker {
  if (typeof document === "undefined") {
    const nothing = (): void => undefined;
    return { track: nothing, page: nothing, identify: nothing, reset: nothing, view: nothing, click: nothing, addToCart: nothing };
  }
  const hp = create(options);
  const auto = options.auto ?? true;
  clicks(hp, auto);
  if (auto) views(hp, options);
  return hp;
}
