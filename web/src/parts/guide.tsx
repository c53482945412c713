// The first run: the settings of the project, a key, a line that sends an event, and a light that turns green when it has come.
import { useEffect, useState } from "preact/hooks";
import { address, get, send, type Answer, type Schemas } from "../api";
import { useAnswer } from "../load";
import { plusDays, today } from "../period";
import { slug } from "../rights";
import { root } from "../route";
import { integrity, script } from "../tracker.gen";
import { Copy } from "./copy";
import { Choice, Form, Input } from "./form";
import { Failure } from "./fresh";

export function Guide({ onDone }: { onDone: () => void }) {
  const [key, setKey] = useState("");
  return (
    <section class="card guide">
      <h2>Send your first event</h2>
      <ol>
        <li><Settings /></li>
        <li><Key value={key} onMade={setKey} /></li>
        <li><Lines credential={key || "YOUR_KEY"} /></li>
        <li><Light onDone={onDone} /></li>
      </ol>
    </section>
  );
}

function Settings() {
  const loaded = useAnswer<Schemas["ProjectDetails"]>(address("/auth/projects/{project}", undefined, { project: slug.value }));
  const [saved, setSaved] = useState("");
  const known = loaded.answer;
  const save = async (text: (name: string) => string) => {
    const body = { name: text("name"), time_zone: text("time_zone"), currency: text("currency") };
    await send("patch", "/auth/projects/{project}", { places: { project: slug.value }, body });
    setSaved(`Saved: days begin and end by the clocks of ${body.time_zone}.`);
    loaded.retry();
  };
  return (
    <>
      <h3>Set up the project</h3>
      <Failure loaded={loaded} />
      <div class="basics">
        {known && (
          <Form label="Save" busy="Saving…" send={save}>
            <Input name="name" label="Name" value={known.name} />
            <Choice name="time_zone" label="Time zone of days and hours" value={known.time_zone} from={Intl.supportedValuesOf("timeZone")} />
            <Choice name="currency" label="Currency" value={known.currency} from={Intl.supportedValuesOf("currency")} />
          </Form>
        )}
        {!known && !loaded.error && <span class="skeleton" />}
      </div>
      <p role="status">{saved}</p>
    </>
  );
}

function Key({ value, onMade }: { value: string; onMade: (key: string) => void }) {
  const loaded = useAnswer<Schemas["APIKeyList"]>(address("/auth/api-keys", undefined));
  const others = loaded.answer?.items.filter((key) => key.revoked_at === null).length ?? 0;
  const make = async () => onMade((await send("post", "/auth/api-keys", { body: { name: "first key", scopes: ["ingest"], delegate: false } })).key);
  return (
    <>
      <h3>Make a key</h3>
      {value === "" ? (
        <>
          <p class="quiet">It may send events and orders, and read nothing.{others > 0 && " The project has a key already. Make another one if you do not have it at hand."}</p>
          <Form label="Make a key" busy="Making…" send={make}>{null}</Form>
        </>
      ) : (
        <>
          <p>This is the only time that the key is shown. Keep it where your server keeps its secrets.</p>
          <Copy label="The key" text={value} />
        </>
      )}
    </>
  );
}

const languages = ["curl", "JavaScript", "Go", "HTML"] as const;

function Lines({ credential }: { credential: string }) {
  const [language, setLanguage] = useState<(typeof languages)[number]>("curl");
  return (
    <>
      <h3>Send an event</h3>
      <div class="pills" role="group" aria-label="Language">
        {languages.map((name) => <button key={name} type="button" aria-pressed={name === language} onClick={() => setLanguage(name)}>{name}</button>)}
      </div>
      <Copy label={`Send an event with ${language}`} text={lines(language, location.origin + root, credential)} />
    </>
  );
}

// lines sends an event in a language.
export function lines(language: (typeof languages)[number], server: string, key: string): string {
  switch (language) {
    case "curl":
      return `curl -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' \\
  -d '{"type": "Signed Up", "user_id": "ada"}' '${server}/events'`;
    case "JavaScript":
      return `await fetch("${server}/events", {
  method: "POST",
  headers: { Authorization: "Bearer ${key}", "Content-Type": "application/json" },
  body: JSON.stringify({ type: "Signed Up", user_id: "ada" }),
});`;
    case "Go":
      return `c, err := client.New("${server}", client.WithAPIKey("${key}")) // github.com/hp-analytics/hp-analytics/client
if err != nil {
	return err
}
_, err = c.CreateEvent(ctx, client.EventInput{Type: "Signed Up", UserID: "ada"}, nil)`;
    case "HTML":
      return `<!-- A page takes a public key: hp-analytics keys create --scopes ingest --origins https://shop.example -->
<script defer src="${server}/app/assets/${script}" data-key="hpw_YOUR_PUBLIC_KEY"
  integrity="${integrity}" crossorigin="anonymous"></script>`;
  }
}

// pollEvery is the time between two looks for the first event, in milliseconds.
const pollEvery = 2000;

function Light({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState("");
  useEffect(() => {
    if (name !== "") return;
    const stop = new AbortController();
    const look = async (): Promise<void> => {
      const url = address("/analytics/events", { from: plusDays(today(), -1), to: plusDays(today(), 1), limit: 1 });
      const found = await get<Answer<"/analytics/events">>(url, stop.signal);
      if (found.items[0]) setName(found.items[0].type);
    };
    const timer = setInterval(() => void look().catch(() => undefined), pollEvery); // the next look may succeed
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [name]);
  return (
    <>
      <h3>See it arrive</h3>
      <p role="status" class="light">
        <svg viewBox="0 0 10 10" class={name === "" ? "dot" : "dot on"} aria-hidden="true"><circle cx="5" cy="5" r="5" /></svg>
        {name === "" ? "No event yet. This page looks every two seconds." : `The first event has arrived: ${name}.`}
      </p>
      {name !== "" && <button type="button" class="primary" onClick={onDone}>Show the overview</button>}
    </>
  );
}
