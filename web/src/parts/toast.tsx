// Short messages of what has happened, which screen readers say as well.
import { signal } from "@preact/signals";

const said = signal<{ id: number; text: string }[]>([]);
let last = 0;

// shownFor is how long a message stays, in milliseconds.
const shownFor = 6000;

// say shows a message for a moment.
export function say(text: string): void {
  const id = ++last;
  said.value = [...said.value, { id, text }];
  setTimeout(() => (said.value = said.value.filter((message) => message.id !== id)), shownFor);
}

export function Toasts() {
  return <div class="toasts" role="status">{said.value.map((message) => <p key={message.id}>{message.text}</p>)}</div>;
}
