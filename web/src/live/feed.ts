// What a page of live events holds: the newest items, those that came during a pause, and how many come in a second. All of it is bounded.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Schemas } from "../api";
import { project } from "../route";
import type { Problem } from "../session";
import { follow, type Message, type State } from "./stream";

// Item is something that was stored.
export type Item =
  | { kind: "event"; of: Schemas["LiveEvent"] }
  | { kind: "order"; of: Schemas["LiveOrder"] }
  | { kind: "refund"; of: Schemas["LiveRefund"] };

// LeftOut says that some items are not shown. A count of a batch of orders or refunds is one of their lines.
export interface LeftOut { kind: Schemas["LiveKind"] | null; count: number | null; why: "omitted" | "gap" | "pause" }

export type Row = { key: string } & (Item | LeftOut);

export const mostRows = 100;
const mostSeconds = 60;

export interface View {
  state: State;
  reason?: string; // why the server has refused for the moment
  refused?: Problem; // why there is no stream
  rows: Row[]; // newest first
  paused: boolean;
  waiting: number; // items that came during the pause
  perSecond: number[]; // of the last minute, the newest second last
}

const empty = (): View => ({ state: "connecting", rows: [], paused: false, waiting: 0, perSecond: Array<number>(mostSeconds).fill(0) });

// Feed gathers what comes between two drawings of the page.
class Feed {
  private view = empty();
  private held: Row[] = []; // newest first, during a pause
  private notes = 0;
  private changed = true;

  // take returns the view if it has changed since the last call.
  take(): View | undefined {
    if (!this.changed) return undefined;
    this.changed = false;
    return { ...this.view };
  }

  set(changes: Partial<View>): void {
    this.view = { ...this.view, ...changes };
    this.changed = true;
  }

  message({ event, data }: Message): void {
    if (event === "omitted" || event === "gap") {
      this.leaveOut({ ...(JSON.parse(data) as Schemas["LiveCount"]), why: event });
      return;
    }
    const item = { kind: event || "event", of: JSON.parse(data) } as Item;
    this.count(1);
    this.add({ key: `${item.of.batch_id} ${item.of.ts} ${item.of.id}`, ...item });
  }

  leaveOut(what: LeftOut): void {
    if (what.why === "omitted") this.count(what.count ?? 0);
    this.add({ key: `left out ${++this.notes}`, ...what });
  }

  private count(items: number): void {
    const counts = this.view.perSecond;
    counts[counts.length - 1]! += items;
    if (this.view.paused) this.view.waiting += items;
    this.changed = true;
  }

  private add(row: Row): void {
    if (this.view.paused) this.held = [row, ...this.held.slice(0, mostRows - 2)]; // resume has a place for a note
    else this.view.rows = [row, ...this.view.rows.slice(0, mostRows - 1)];
    this.changed = true;
  }

  second(): void {
    this.set({ perSecond: [...this.view.perSecond.slice(1), 0] });
  }

  pause(): void {
    this.set({ paused: true });
  }

  resume(): void {
    const missing = this.view.waiting - this.held.filter((row) => "of" in row).length;
    const note: Row[] = missing > 0 ? [{ key: `left out ${++this.notes}`, kind: null, count: missing, why: "pause" }] : [];
    this.set({ paused: false, waiting: 0, rows: [...this.held, ...note, ...this.view.rows].slice(0, mostRows) });
    this.held = [];
  }
}

// drawEvery is the time between two drawings, in milliseconds: a thousand events in a second must not make the page slow.
const drawEvery = 200;

export interface Live extends View { pause: () => void; resume: () => void }

// useLive follows the stream at an address, from now on. An empty address has none.
export function useLive(url: string): Live {
  const key = project.value + " " + url, feed = useRef(new Feed());
  const [view, setView] = useState({ key, view: empty() });
  const draw = () => {
    const next = feed.current.take();
    if (next) setView({ key, view: next });
  };
  useEffect(() => {
    const own = new Feed(), stopped = url === "";
    feed.current = own;
    draw();
    if (stopped) return;
    const stop = follow(url, {
      onState: (state, reason) => own.set({ state, reason }),
      onMessage: (message) => own.message(message),
      onLost: () => own.leaveOut({ kind: null, count: null, why: "gap" }),
      onRefused: (refused) => own.set({ refused }),
    });
    const timers = [setInterval(draw, drawEvery), setInterval(() => own.second(), 1000)];
    return () => {
      stop();
      timers.forEach(clearInterval);
    };
  }, [key]);
  const act = (change: (feed: Feed) => void) => () => {
    change(feed.current);
    draw();
  };
  return { ...(view.key === key ? view.view : empty()), pause: act((feed) => feed.pause()), resume: act((feed) => feed.resume()) };
}
