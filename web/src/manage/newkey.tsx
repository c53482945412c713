// The form that makes an API key, which is shown once.
import { useState } from "preact/hooks";
import { send, type Schemas } from "../api";
import { Dialog } from "../parts/dialog";
import { Field } from "../parts/field";
import { Secret } from "../parts/secret";
import { useSubmit } from "../parts/submit";
import { scopes, type Scope } from "./key";
import { Paste } from "./paste";
import { noPublicDraft, publicFields, PublicFields, readPublic } from "./publickey";

interface Props {
  onMade: () => void;
  onClose: () => void;
}

const lives: [name: string, days: number][] = [["until it is revoked", 0], ["for 30 days", 30], ["for 90 days", 90], ["for a year", 365]];

export function NewKey({ onMade, onClose }: Props) {
  const [made, setMade] = useState<Schemas["APIKeyCreated"]>();
  const [name, setName] = useState("");
  const [kind, setKind] = useState<Schemas["APIKeyKind"]>("secret");
  const [pages, setPages] = useState(noPublicDraft);
  const [may, setMay] = useState<Scope[]>(["ingest"]);
  const [delegate, setDelegate] = useState(false);
  const [unknown, setUnknown] = useState<Schemas["UnknownProducts"]>("refuse");
  const [life, setLife] = useState(0);
  const submit = useSubmit(["/name", "/scopes", ...publicFields]);
  const make = (event: SubmitEvent) => {
    event.preventDefault();
    void submit.run(async () => {
      if (kind === "secret" && may.length === 0) throw new Error("Choose what the key may do.");
      const expires = life > 0 && { expires_at: new Date(Date.now() + life * 86_400_000).toISOString() };
      const rights = kind === "public"
        ? { kind, scopes: ["ingest" as const], delegate: false, public: readPublic(pages) }
        : { kind, scopes: may, delegate: delegate && may.includes("admin") };
      setMade(await send("post", "/auth/api-keys", { body: { name, unknown_products: unknown, ...rights, ...expires } }));
      onMade();
    });
  };
  if (made) return <Dialog title={made.name} onClose={onClose}><Made made={made} onClose={onClose} /></Dialog>;
  return (
    <Dialog title="New key" onClose={onClose}>
      <form class="form" onSubmit={make}>
        <Field label="Name" help="What uses it, such as web shop." error={submit.errorOf("/name")}>
          {(wired) => <input {...wired} name="name" required maxLength={100} value={name} onInput={(event) => setName(event.currentTarget.value)} />}
        </Field>
        <Kind chosen={kind} onChange={setKind} />
        {kind === "public" && <PublicFields draft={pages} errorOf={submit.errorOf} onChange={(part) => setPages((old) => ({ ...old, ...part }))} />}
        {kind === "secret" && <Scopes chosen={may} error={submit.errorOf("/scopes")} onChange={setMay} />}
        {kind === "secret" && may.includes("admin") && (
          <label class="check"><input type="checkbox" name="delegate" checked={delegate} onChange={(event) => setDelegate(event.currentTarget.checked)} /> It may make other keys with the scope admin</label>
        )}
        <Field label="Events with an unknown SKU" help={kind === "public" && "Visitors can invent SKUs. Let keys of pages refuse unknown ones."}>
          {(wired) => (
            <select {...wired} name="unknown" value={unknown} onChange={(event) => setUnknown(event.currentTarget.value as Schemas["UnknownProducts"])}>
              <option value="refuse">are refused</option>
              <option value="create">create the product</option>
            </select>
          )}
        </Field>
        <Field label="It works">
          {(wired) => (
            <select {...wired} name="life" value={life} onChange={(event) => setLife(Number(event.currentTarget.value))}>
              {lives.map(([name, days]) => <option key={days} value={days}>{name}</option>)}
            </select>
          )}
        </Field>
        {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
        <div class="pills">
          <button class="primary" disabled={submit.busy}>Make the key</button>
          <button type="button" onClick={onClose}>Cancel</button>
        </div>
      </form>
    </Dialog>
  );
}

const kinds: [kind: Schemas["APIKeyKind"], name: string, means: string][] = [
  ["secret", "A server", "The key is secret. It may send, read and manage."],
  ["public", "Web pages", "Everybody can read the key in the page. It sends what visitors do, and nothing else."],
];

function Kind({ chosen, onChange }: { chosen: Schemas["APIKeyKind"]; onChange: (kind: Schemas["APIKeyKind"]) => void }) {
  return (
    <fieldset>
      <legend>Used by</legend>
      {kinds.map(([kind, name, means]) => (
        <label key={kind} class="check">
          <input type="radio" name="kind" value={kind} checked={kind === chosen} onChange={() => onChange(kind)} />
          <span>{name} <span class="quiet">{means}</span></span>
        </label>
      ))}
    </fieldset>
  );
}

function Scopes({ chosen, error, onChange }: { chosen: Scope[]; error?: string; onChange: (scopes: Scope[]) => void }) {
  const toggle = (scope: Scope, on: boolean) => onChange(scopes.map(([one]) => one).filter((one) => (one === scope ? on : chosen.includes(one))));
  return (
    <fieldset>
      <legend>It may</legend>
      {scopes.map(([scope, means]) => (
        <label key={scope} class="check">
          <input type="checkbox" name={scope} checked={chosen.includes(scope)} onChange={(event) => toggle(scope, event.currentTarget.checked)} />
          <span>{scope} <span class="quiet">{means}</span></span>
        </label>
      ))}
      {error && <span class="down">{error}</span>}
    </fieldset>
  );
}

function Made({ made, onClose }: { made: Schemas["APIKeyCreated"]; onClose: () => void }) {
  const ofPages = made.kind === "public";
  return (
    <div class="form">
      <p>Copy the key now. It is not shown again. {ofPages ? "It may stand in a page." : "Keep it where your server keeps its secrets."}</p>
      <Secret label="Key" name="key" text={made.key} action="Copy the key" />
      {ofPages && <Paste credential={made.key} />}
      <div class="pills"><button type="button" onClick={onClose}>Done</button></div>
    </div>
  );
}
