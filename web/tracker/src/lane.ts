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
  detail: string;
}

export class Lane<T> {
  private items: T[] = [];
  private sending: Promise<void> | undefined;
  private stopped = false;
  private wake: () => void = () => undefined;

  constructor(private readonly url: string, private readonly member: string, private readonly o: LaneOptions<T>) {}

  add(item: T): void {
    if (this.stopped) return this.o.onError("it came after close", [item]);
    if (this.items.length >= this.o.waiting) return this.o.onError("too many wait", [item]);
    this.items.push(item);
    if (this.items.length === 1 && !this.sending) this.sending = this.send(this.o.interval);
    else if (this.items.length === this.o.batch) this.wake();
  }

  async flush(): Promise<void> {
    this.wake();
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
    for (let failures = 0; this.items.length > 0; ) {
      const items = this.items.slice(0, this.o.batch);
      const body = JSON.stringify({ [this.member]: items });
      const headers = { "Authorization": `Bearer ${this.o.key}`, "Content-Type": "application/json" };
      const wait = await post(this.url, { body, headers }, failures, (text, status) => this.settle(items, text, status));
      if (this.stopped) return;
      if (wait > 0) {
        failures++;
        await this.pause(wait);
      } else {
        failures = 0;
        this.items.splice(0, items.length);
      }
    }
    this.sending = undefined;
  }

  /** settle tells what is lost: a batch that is refused, or items of it. */
  private settle(items: T[], text: string, status: number): void {
    if (status >= 300) return this.o.onError(`${status} ${text}`, items);
    let errors: ItemError[] = [];
    try {
      errors = JSON.parse(text).errors ?? [];
    } catch {} // what is stored is stored, whatever a proxy makes of the answer
    for (const { index, pointer, detail } of errors) this.o.onError(`${pointer} ${detail}`.trim(), items.slice(index, index + 1));
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
