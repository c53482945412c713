import { type Options, type Tracker } from "./tracker.js";
/** views captures the view of this page, and of each page that a script or the browser's history shows in its place. */
export declare function views(hp: Tracker, o: Options): void;
/** clicks captures clicks on elements with data-hp-event, and if all is set, on links to other sites. */
export declare function clicks(hp: Tracker, all: boolean): void;
