// The form of a product: to create one, or to change one without undoing what others change meanwhile.
import { useState } from "preact/hooks";
import { address, get, send } from "../api";
import { Dialog } from "../parts/dialog";
import { Field } from "../parts/field";
import { useSubmit } from "../parts/submit";
import { say } from "../parts/toast";
import { Problem } from "../session";
import { Conflict } from "./conflict";
import { changesOf, contentOf, draftOf, emptyDraft, read, type Content, type Draft, type Product } from "./content";
import { Prices } from "./prices";

interface Props {
  product?: Product; // to be changed; a new one without it
  onSaved: (product: Product) => void;
  onClose: () => void;
}

// shown are the fields that say their errors themselves.
const shown = ["/sku", "/name", "/description", "/category", "/price_minor", "/currency", "/prices", "/attributes"];

export function ProductForm({ product, onSaved, onClose }: Props) {
  const [base, setBase] = useState(product); // what the changes are made to
  const [theirs, setTheirs] = useState<Product>(); // what somebody else made of it meanwhile
  const [draft, setDraft] = useState<Draft>(product ? draftOf(contentOf(product)) : emptyDraft);
  const submit = useSubmit(shown);
  const change = (part: Partial<Draft>) => setDraft((old) => ({ ...old, ...part }));

  // save writes the changes from one version of the product to mine onto a version, which is a newer one after a conflict.
  const save = async (mine: Content, from?: Product, onto = from): Promise<void> => {
    if (!from || !onto) {
      onSaved(await send("post", "/products", { body: mine }));
      say(`${mine.name} was created.`);
      return onClose();
    }
    try {
      onSaved(await send("patch", "/products/{id}", { places: { id: from.id }, ifMatch: `"${onto.version}"`, body: changesOf(contentOf(from), mine) }));
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 412) throw error;
      setTheirs(await get<Product>(address("/products/{id}", undefined, { id: from.id })));
      return;
    }
    say(`${mine.name} was saved.`);
    onClose();
  };
  const saveDraft = (onto?: Product) => submit.run(async () => {
    const { content, errors } = read(draft);
    if (errors.length > 0) throw new Problem(422, "invalid", errors[0]!.detail, errors);
    await save(content, base, onto);
  });
  const takeTheirs = (product: Product) => {
    setBase(product);
    setDraft(draftOf(contentOf(product)));
    setTheirs(undefined);
  };

  return (
    <Dialog title={base ? "Edit product" : "New product"} onClose={onClose}>
      {theirs && base && (
        <Conflict base={base} theirs={theirs} mine={read(draft).content} busy={submit.busy} onKeep={() => void saveDraft(theirs)} onTake={() => takeTheirs(theirs)} />
      )}
      <form class="form" hidden={theirs !== undefined} onSubmit={(event) => (event.preventDefault(), void saveDraft())}>
        <Texts draft={draft} errorOf={submit.errorOf} onChange={change} />
        <Prices draft={draft} errorOf={submit.errorOf} onChange={change} />
        <Field label="Attributes" help='A JSON object, such as {"color": "green"}.' error={submit.errorOf("/attributes")}>
          {(wired) => <textarea {...wired} name="attributes" rows={3} spellcheck={false} value={draft.attributes} onInput={(event) => change({ attributes: event.currentTarget.value })} />}
        </Field>
        <div class="pills">
          <button class="primary" disabled={submit.busy}>{base ? "Save" : "Create"}</button>
          <button type="button" onClick={onClose}>Cancel</button>
        </div>
      </form>
      {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
    </Dialog>
  );
}

export interface PartProps {
  draft: Draft;
  errorOf: (pointer: string) => string | undefined;
  onChange: (part: Partial<Draft>) => void;
}

function Texts({ draft, errorOf, onChange }: PartProps) {
  return (
    <>
      <Field label="Name" error={errorOf("/name")}>
        {(wired) => <input {...wired} name="name" required maxLength={200} value={draft.name} onInput={(event) => onChange({ name: event.currentTarget.value })} />}
      </Field>
      <Field label="SKU" help="The shop's own name of the product, as events carry it." error={errorOf("/sku")}>
        {(wired) => <input {...wired} name="sku" required maxLength={200} value={draft.sku} onInput={(event) => onChange({ sku: event.currentTarget.value })} />}
      </Field>
      <Field label="Category" error={errorOf("/category")}>
        {(wired) => <input {...wired} name="category" maxLength={100} value={draft.category} onInput={(event) => onChange({ category: event.currentTarget.value })} />}
      </Field>
      <Field label="Description" error={errorOf("/description")}>
        {(wired) => <textarea {...wired} name="description" rows={3} maxLength={4000} value={draft.description} onInput={(event) => onChange({ description: event.currentTarget.value })} />}
      </Field>
    </>
  );
}
