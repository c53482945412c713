// What is kept on the device: the id of the visitor, and the events that the server has not confirmed. Each event is an item of its
// own, so tabs that write at the same time lose nothing. Tabs may send the same event at the same time: it has the same id, so it is counted
// once.
import { newId, type Event } from "./event.js";
import { longestWaiting, mostWaiting } from "./limits.js";

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
export function device(store: boolean, key: string): Device {
  const prefix = `hp:${key}:`;
  let place: Record<string, string> = {};
  try {
    if (store) place = localStorage as unknown as typeof place;
  } catch {} // storage is forbidden
  const keep = (name: string, text: string): void => {
    try {
      place[name] = text;
    } catch {
      place = { ...place, [name]: text }; // storage is full
    }
  };
  const all = (): Event[] => {
    const names = Object.keys(place).filter((name) => name.startsWith(prefix)).sort(); // ids sort by time
    return names.flatMap((name, i) => {
      try {
        const event: Event = JSON.parse(place[name]!);
        if (i >= names.length - mostWaiting && Date.parse(event.ts) > Date.now() - longestWaiting) return event;
      } catch {} // it is not ours
      delete place[name];
      return [];
    });
  };
  return {
    visitor(day) {
      let [since, id] = (place["hp.id"] ?? "").split(" ");
      if (since !== day || !id) keep("hp.id", `${day} ${(id = newId())}`);
      return id!;
    },
    forget() {
      delete place["hp.id"];
    },
    put(event) {
      keep(prefix + event.id, JSON.stringify(event));
      all(); // makes room
    },
    all,
    remove(events) {
      for (const event of events) delete place[prefix + event.id];
    },
  };
}
