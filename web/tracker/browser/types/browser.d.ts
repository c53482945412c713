import { type Options as TrackerOptions, type Tracker } from "./tracker.js";
export type { Properties } from "./event.js";
export type { Tracker };
export interface Options extends TrackerOptions {
    /** Whether views of pages and links to other sites are captured without a call. Yes by default. */
    auto?: boolean;
}
/** init returns a tracker for this page. Call it once. Without a page, as on a server that renders, the tracker does nothing. */
export declare function init(options: Options): Tracker;
