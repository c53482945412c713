// A queue of items of one kind and one request at a time.
import { post } from "./post.js";

export interface LaneOptions<T> {
  key: string;
  batch: number;
  interval: number;
  waiting: number;
  onError: (why: string, lost: T[]) => void;
}

/** A problem of an item of a bulk request (ItemError of openapi.yaml). */
interface ItemError {
  index: number;
  pointer: string;
  code: string;
  detail: string;
}

/** The codes of items that are stored when they are sent again: the platform was too busy, or had an error of its own. */
const passing = ["overloaded", "internal"];

export class Lane<T> {
  private items: T[] = [];
  private sending: Promise<void> | undefined;
  private stopped = false;
  private failures = 0; // attempts since something was stored or refused
  private asked = 0; // how long the server asked to wait, in milliseconds: nothing but stop ends that
  private wake: () => void = () => undefined;

  constructor(private readonly url: string, private readonly member: string, private readonly o: LaneOptions<T>) {}

  add(item: T): void {
    if (this.stopped) return this.o.onError("it came after close", [item]);
    if (this.items.length >= this.o.waiting) return this.o.onError("too many wait", [item]);
    this.items.push(item);
    if (this.items.length === 1 && !this.sending) this.sending = this.send(this.o.interval);
    else if (this.items.length === this.o.batch && !this.failures) this.wake();
  }

  async flush(): Promise<void> {
    if (!this.asked) this.wake();
    await this.sending;
  }

  stop(): void {
    this.stopped = true;
    this.wake();
    const lost = this.items;
    this.items = [];
    if (lost.length > 0) this.o.onError("the platform did not answer in time", lost);
  }

  /** send sends all that waits, batch by batch, after a time in which the first gathers. */
  private async send(gather: number): Promise<void> {
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
    this.sending = undefined;
  }

  /** settle tells what is lost, a batch that is refused or items of it, and returns the items that are to be sent again. */
  private settle(items: T[], text: string, status: number): T[] {
    let errors: ItemError[] = [];
    try {
      errors = (JSON.parse(text).errors ?? []).filter((error: ItemError) => error.index >= 0); // those of a problem document have no index
    } catch {} // what is stored is stored, whatever a proxy makes of the answer
    if (status >= 300 && errors.length === 0) this.o.onError(`${status} ${text}`, items);
    const again = new Set<number>();
    for (const { index, pointer, code, detail } of errors) {
      if (passing.includes(code)) again.add(index);
      else this.o.onError(`${pointer} ${detail}`.trim(), items.slice(index, index + 1));
    }
    return items.filter((_, index) => again.has(index));
  }

  /** pause waits, until wake is called. The process need not go on for it. */
  private async pause(wait: number): Promise<void> {
    if (this.stopped) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      timer = setTimeout(resolve, wait);
      (timer as { unref?(): void }).unref?.();
    });
    clearTimeout(timer);
  }
}
