// The form that makes an API key, which is shown once.
import { useState } from "preact/hooks";
import { send, type Schemas } from "../api";
import { Dialog } from "../parts/dialog";
import { Field } from "../parts/field";
import { Secret } from "../parts/secret";
import { useSubmit } from "../parts/submit";
import { scopes, type Scope } from "./key";

interface Props {
  onMade: () => void;
  onClose: () => void;
}

const lives: [name: string, days: number][] = [["until it is revoked", 0], ["for 30 days", 30], ["for 90 days", 90], ["for a year", 365]];

export function NewKey({ onMade, onClose }: Props) {
  const [made, setMade] = useState<Schemas["APIKeyCreated"]>();
  const [name, setName] = useState("");
  const [may, setMay] = useState<Scope[]>(["ingest"]);
  const [delegate, setDelegate] = useState(false);
  const [unknown, setUnknown] = useState<Schemas["UnknownProducts"]>("refuse");
  const [life, setLife] = useState(0);
  const submit = useSubmit(["/name", "/scopes"]);
  const make = (event: SubmitEvent) => {
    event.preventDefault();
    void submit.run(async () => {
      if (may.length === 0) throw new Error("Choose what the key may do.");
      const expires = life > 0 && { expires_at: new Date(Date.now() + life * 86_400_000).toISOString() };
      const body = { name, scopes: may, delegate: delegate && may.includes("admin"), unknown_products: unknown, ...expires };
      setMade(await send("post", "/auth/api-keys", { body }));
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
        <Scopes chosen={may} error={submit.errorOf("/scopes")} onChange={setMay} />
        {may.includes("admin") && (
          <label class="check"><input type="checkbox" name="delegate" checked={delegate} onChange={(event) => setDelegate(event.currentTarget.checked)} /> It may make other keys with the scope admin</label>
        )}
        <Field label="Events with an unknown SKU">
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
  return (
    <div class="form">
      <p>Copy the key now. It is not shown again. Keep it where your server keeps its secrets.</p>
      <Secret label="Key" name="key" text={made.key} action="Copy the key" />
      <div class="pills"><button type="button" onClick={onClose}>Done</button></div>
    </div>
  );
}
