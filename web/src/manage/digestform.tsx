// The form that makes and changes a digest. What others change meanwhile is not undone.
import { useState } from "preact/hooks";
import { address, get, send, type Answer, type Schemas } from "../api";
import { ConflictTable } from "../parts/conflict";
import { Dialog } from "../parts/dialog";
import { Field } from "../parts/field";
import { useSubmit, type Submit } from "../parts/submit";
import { say } from "../parts/toast";
import { equal } from "../products/content";
import { clock, digestDraft, digestFields, hours, newDigest, readDigest, requestOf, type Digest, type DigestDraft, type DigestRequest } from "./digest";
import { MadeWebhook, ReceiverFields } from "./receiver";

interface Props {
  digest?: Digest; // undefined makes a new one
  onSaved: () => void;
  onClose: () => void;
}

export function DigestForm({ digest, onSaved, onClose }: Props) {
  const [base, setBase] = useState(digest); // what the changes are made to
  const [theirs, setTheirs] = useState<Digest>(); // what somebody else made of it meanwhile
  const [draft, setDraft] = useState<DigestDraft>(digest ? digestDraft(digest) : newDigest);
  const [secret, setSecret] = useState("");
  const submit = useSubmit(["/name", "/recipients", "/url"]);
  const done = (name: string) => {
    say(`The digest ${name} is saved.`);
    onSaved();
    onClose();
  };
  const make = () => submit.run(async () => {
    const made: Schemas["DigestCreated"] = await send("post", "/digests", { body: readDigest(draft) });
    if (made.secret === "") return done(made.digest.name);
    setSecret(made.secret);
    onSaved();
  });
  // change writes what was changed onto a version. The API has no condition for it, so the newest version is read just before.
  const change = (onto: Digest) => submit.run(async () => {
    const newest = (await get<Answer<"/digests">>(address("/digests", undefined))).items.find((d) => d.id === onto.id);
    if (!newest) throw new Error("Somebody deleted this digest meanwhile.");
    if (!equal(requestOf(newest), requestOf(onto))) return setTheirs(newest);
    const body = merged(requestOf(base!), requestOf(newest), readDigest(draft));
    await send("put", "/digests/{id}", { places: { id: onto.id }, body });
    done(body.name);
  });
  const take = (newer: Digest) => {
    setBase(newer);
    setDraft(digestDraft(newer));
    setTheirs(undefined);
  };
  if (secret !== "") return <Dialog title={draft.name} onClose={onClose}><MadeWebhook secret={secret} onClose={onClose} /></Dialog>;
  return (
    <Dialog title={digest ? "Change the digest" : "New digest"} onClose={onClose}>
      {base && theirs && <Conflict base={base} theirs={theirs} mine={readDigest(draft)} busy={submit.busy} onKeep={() => void change(theirs)} onTake={() => take(theirs)} />}
      <form class="form" hidden={theirs !== undefined} onSubmit={(event) => (event.preventDefault(), void (base ? change(base) : make()))}>
        <Controls draft={draft} fixed={base !== undefined} errorOf={submit.errorOf} onChange={(part) => setDraft((old) => ({ ...old, ...part }))} />
        <div class="pills">
          <button class="primary" disabled={submit.busy}>{base ? "Save" : "Make the digest"}</button>
          <button type="button" onClick={onClose}>Cancel</button>
        </div>
      </form>
      {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
    </Dialog>
  );
}

// merged is theirs with what mine changed.
function merged(base: DigestRequest, theirs: DigestRequest, mine: DigestRequest): DigestRequest {
  const changed = Object.entries(mine).filter(([name, value]) => !equal(value, base[name as keyof DigestRequest]));
  return { ...theirs, ...Object.fromEntries(changed) };
}

interface ControlProps { draft: DigestDraft; fixed: boolean; errorOf: Submit["errorOf"]; onChange: (part: Partial<DigestDraft>) => void }

function Controls({ draft, fixed, errorOf, onChange }: ControlProps) {
  return (
    <>
      <Field label="Name" help="It is in the subject of e-mails." error={errorOf("/name")}>
        {(wired) => <input {...wired} name="name" required maxLength={100} value={draft.name} onInput={(event) => onChange({ name: event.currentTarget.value })} />}
      </Field>
      <ReceiverFields receiver={draft} fixed={fixed} errorOf={errorOf} onChange={onChange} />
      <Field label="Sent">
        {(wired) => (
          <select {...wired} name="every" value={draft.every} onChange={(event) => onChange({ every: event.currentTarget.value as Digest["every"] })}>
            <option value="day">every day, with the day before</option>
            <option value="week">every week, with the seven days before</option>
          </select>
        )}
      </Field>
      <Field label="At" help="By the clocks of the project. A week begins on the day that its settings name.">
        {(wired) => (
          <select {...wired} name="hour" value={draft.hour} onChange={(event) => onChange({ hour: Number(event.currentTarget.value) })}>
            {hours.map((hour) => <option key={hour} value={hour}>{clock(hour)}</option>)}
          </select>
        )}
      </Field>
      <label class="check"><input type="checkbox" name="enabled" checked={draft.enabled} onChange={(event) => onChange({ enabled: event.currentTarget.checked })} /> It is sent</label>
    </>
  );
}

interface ConflictProps { base: Digest; theirs: Digest; mine: DigestRequest; busy: boolean; onKeep: () => void; onTake: () => void }

function Conflict({ base, theirs, mine, ...rest }: ConflictProps) {
  const differences = digestFields.flatMap(([name, text]) => {
    const before = text(requestOf(base)), their = text(requestOf(theirs)), my = text(mine);
    return their === before && my === before ? [] : [{ name, before, theirs: their === before ? undefined : their, mine: my === before ? undefined : my }];
  });
  return <ConflictTable what="this digest" differences={differences} {...rest} />;
}
