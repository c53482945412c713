// The form that makes and changes an alert. What others change meanwhile is not undone.
import { useState } from "preact/hooks";
import { address, get, send, type Answer, type Schemas } from "../api";
import { ConflictTable } from "../parts/conflict";
import { Dialog } from "../parts/dialog";
import { useSubmit } from "../parts/submit";
import { say } from "../parts/toast";
import { equal } from "../products/content";
import { alertDraft, looked, newAlert, readAlert, words, type Alert, type AlertDraft, type AlertRequest } from "./alert";
import { AlertFields } from "./alertfields";
import { nobody, MadeWebhook, ReceiverFields, readReceiver, receiverOf, type Receiver } from "./receiver";

interface Props {
  alert?: Alert; // undefined makes a new one
  sku: string; // of its product; empty if it has none
  onSaved: () => void;
  onClose: () => void;
}

type Draft = AlertDraft & Receiver;

const inFields = ["/name", "/recipients", "/url", "/event", "/currency", "/threshold", "/percent", "/sensitivity"];

const draftOf = (a: Alert, sku: string): Draft => ({ ...alertDraft(a, sku), ...receiverOf(a) });

export function AlertForm({ alert, sku, onSaved, onClose }: Props) {
  const [base, setBase] = useState(alert); // what the changes are made to
  const [theirs, setTheirs] = useState<Alert>(); // what somebody else made of it meanwhile
  const [draft, setDraft] = useState<Draft>(alert ? draftOf(alert, sku) : { ...newAlert, ...nobody });
  const [secret, setSecret] = useState("");
  const submit = useSubmit(inFields);
  const read = async (): Promise<AlertRequest> => ({ ...readAlert(draft, draft.sku.trim() === sku ? (base?.product ?? "") : await productOf(draft.sku)), ...readReceiver(draft) });
  const done = (name: string) => {
    say(`The alert ${name} is saved.`);
    onSaved();
    onClose();
  };
  const make = () => submit.run(async () => {
    const made: Schemas["AlertCreated"] = await send("post", "/alerts", { body: await read() });
    if (made.secret === "") return done(made.alert.name);
    setSecret(made.secret);
    onSaved();
  });
  // change writes an alert as a whole. The API has no condition for it, so the newest version is read just before.
  const change = (onto: Alert) => submit.run(async () => {
    const body = await read(), newest = await get<Alert>(address("/alerts/{id}", undefined, { id: onto.id }));
    if (!equal(shown(newest), shown(onto))) return setTheirs(newest);
    await send("put", "/alerts/{id}", { places: { id: onto.id }, body });
    done(body.name);
  });
  const take = (newer: Alert) => {
    if (newer.product !== base?.product) {
      onSaved();
      return onClose(); // the SKU of the other product is not here
    }
    setBase(newer);
    setDraft(draftOf(newer, sku));
    setTheirs(undefined);
  };
  if (secret !== "") return <Dialog title={draft.name} onClose={onClose}><MadeWebhook secret={secret} onClose={onClose} /></Dialog>;
  const preview = previewOf(draft);
  return (
    <Dialog title={alert ? "Change the alert" : "New alert"} onClose={onClose}>
      {base && theirs && <Conflict base={base} theirs={theirs} mine={preview.alert} busy={submit.busy} onKeep={() => void change(theirs)} onTake={() => take(theirs)} />}
      <form class="form" hidden={theirs !== undefined} onSubmit={(event) => (event.preventDefault(), void (base ? change(base) : make()))}>
        <AlertFields draft={draft} errorOf={submit.errorOf} onChange={(part) => setDraft((old) => ({ ...old, ...part }))} />
        <p role="status" class="preview">{preview.text}</p>
        <ReceiverFields receiver={draft} fixed={base !== undefined} errorOf={submit.errorOf} onChange={(part) => setDraft((old) => ({ ...old, ...part }))} />
        <Switches draft={draft} onChange={(part) => setDraft((old) => ({ ...old, ...part }))} />
        <div class="pills">
          <button class="primary" disabled={submit.busy}>{base ? "Save" : "Make the alert"}</button>
          <button type="button" onClick={onClose}>Cancel</button>
        </div>
      </form>
      {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
    </Dialog>
  );
}

// productOf returns the id of the product with an SKU.
async function productOf(sku: string): Promise<string> {
  if (sku.trim() === "") return "";
  const found = await get<Answer<"/products">>(address("/products", { sku: sku.trim(), status: "all" }));
  if (!found.items[0]) throw new Error(`There is no product with the SKU ${sku.trim()}.`);
  return found.items[0].id;
}

// previewOf says when the alert fires that is being typed, or what is missing for that.
function previewOf(draft: Draft): { text: string; alert?: AlertRequest } {
  try {
    const alert: AlertRequest = { ...readAlert(draft, draft.sku.trim()), ...readReceiver(draft) };
    return { text: `Fires for ${words(alert)}. It looks ${looked(alert)}.`, alert };
  } catch (error) {
    return { text: (error as Error).message };
  }
}

function Switches({ draft, onChange }: { draft: Draft; onChange: (part: Partial<AlertDraft>) => void }) {
  return (
    <>
      <label class="check"><input type="checkbox" name="recovery" checked={draft.recovery} onChange={(event) => onChange({ recovery: event.currentTarget.checked })} /> Also say when the condition holds no more</label>
      <label class="check"><input type="checkbox" name="enabled" checked={draft.enabled} onChange={(event) => onChange({ enabled: event.currentTarget.checked })} /> It is on</label>
    </>
  );
}

// shown is what a person changes, as it is shown.
const shown = (a: AlertRequest | Alert): [name: string, text: string][] => [
  ["Name", a.name], ["Fires for", words(a)], ["Looks", looked(a)], ["To", a.url || (a.recipients ?? []).join(", ")], ["Product", a.product ?? ""],
  ["Recovery", a.notify_recovery ? "is sent" : "is not sent"], ["State", a.enabled ? "on" : "off"],
];

interface ConflictProps { base: Alert; theirs: Alert; mine?: AlertRequest; busy: boolean; onKeep: () => void; onTake: () => void }

function Conflict({ base, theirs, mine, ...rest }: ConflictProps) {
  const their = shown(theirs), my = shown(mine ?? base);
  const differences = shown(base).flatMap(([name, before], i) => {
    const theirText = their[i]![1], myText = name === "Product" ? before : my[i]![1];
    return theirText === before && myText === before ? [] : [{ name, before, theirs: theirText === before ? undefined : theirText, mine: myText === before ? undefined : myText }];
  });
  return <ConflictTable what="this alert" also="Keeping yours replaces the alert as a whole." differences={differences} {...rest} />;
}
