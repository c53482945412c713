import { type Event } from "./event.js";
export interface Device {
    /** visitor returns the id of the visitor on a day, or for good if there is none. */
    visitor(day: string): string;
    /** forget makes the visitor another. */
    forget(): void;
    put(event: Event): void;
    /** all returns the waiting events, the oldest first. */
    all(): Event[];
    remove(events: Event[]): void;
}
/**
 * device keeps what belongs to a key in localStorage. It keeps it in the memory of the page if store is false, or the browser lets nothing
 * be stored.
 */
export declare function device(store: boolean, key: string): Device;
