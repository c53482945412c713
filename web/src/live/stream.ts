// The stream of live events: a request whose answer goes on. It is made again behind the last message when it ends, so each message
// comes once.
import { authorized } from "../api";
import { Problem } from "../session";

// State is how the page is connected: live, trying to be, or without a network.
export type State = "connecting" | "live" | "reconnecting" | "offline";

export interface Message { event: string; data: string }

export interface Listener {
  onState: (state: State, reason?: string) => void; // the reason is why the server has refused for the moment
  onMessage: (message: Message) => void;
  onLost: () => void; // the server cannot continue behind the last message
  onRefused: (error: Problem) => void; // for good; the stream has ended
}

// patience is how long the server may say nothing, in milliseconds. It gives a sign of life every 15 s.
const patience = 40_000;

// follow reads a stream until the function that it returns is called.
export function follow(url: string, listener: Listener): () => void {
  const stop = new AbortController();
  void run(url, listener, stop.signal);
  return () => stop.abort();
}

async function run(url: string, listener: Listener, signal: AbortSignal): Promise<void> {
  for (let last = "", failures = 0; ; failures++) {
    let refused: unknown;
    try {
      for await (const { id, event, data } of messages(url, last, signal)) {
        if (signal.aborted) return;
        if (event === "ready") {
          failures = 0;
          listener.onState("live");
        } else if (data !== "" && event !== "end") listener.onMessage({ event, data });
        if (id !== "") last = id;
      }
    } catch (error) {
      refused = error;
    }
    if (signal.aborted) return;
    if (refused instanceof Problem && refused.code === "invalid_position") {
      last = "";
      listener.onLost();
    } else if (refused instanceof Problem && refused.status < 500 && refused.status !== 429) {
      listener.onRefused(refused);
      return;
    }
    const problem = refused instanceof Problem ? refused : undefined;
    listener.onState(navigator.onLine ? "reconnecting" : "offline", problem?.message);
    await pause(Math.max(delay(failures), (problem?.retryAfter ?? 0) * 1000), signal);
    if (signal.aborted) return;
  }
}

// messages are those of one request. Each is whole; one without data is a sign of life.
async function* messages(url: string, last: string, signal: AbortSignal): AsyncGenerator<Parsed> {
  const end = new AbortController(), cut = () => end.abort();
  addEventListener("offline", cut); // else the silence would be noticed late
  let timer = setTimeout(cut, patience);
  try {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (last !== "") headers["Last-Event-ID"] = last;
    const answer = await authorized(url, { signal: AbortSignal.any([signal, end.signal]), headers });
    const reader = answer.body!.getReader(), text = new TextDecoder(), parse = parser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(cut, patience);
      yield* parse(text.decode(value, { stream: true }));
    }
  } finally {
    clearTimeout(timer);
    removeEventListener("offline", cut);
    end.abort();
  }
}

interface Parsed extends Message { id: string }

// parser reads server-sent events. It is called with each part of a text, and returns the messages that are whole. This server ends lines
// with \n, and writes the data of a message in one line.
function parser(): (part: string) => Parsed[] {
  let rest = "", message: Parsed = { id: "", event: "", data: "" };
  return (part) => {
    const lines = (rest + part).split("\n"), whole: Parsed[] = [];
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === "") {
        whole.push(message);
        message = { id: "", event: "", data: "" };
        continue;
      }
      const colon = line.indexOf(": "), name = line.slice(0, colon);
      if (name === "id" || name === "event" || name === "data") message[name] = line.slice(colon + 2);
    }
    return whole;
  };
}

// delay grows from half a second to ten. Chance keeps many pages from coming back in the same moment.
const delay = (failures: number): number => Math.min(500 * 2 ** failures, 10_000) * (0.75 + Math.random() / 2);

// pause ends early when the network is back.
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
