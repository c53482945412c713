// What an owner does with a product: edit it, archive it, and make it active again.
import { useState } from "preact/hooks";
import { send } from "../api";
import { Confirm } from "../parts/dialog";
import { useSubmit } from "../parts/submit";
import { say } from "../parts/toast";
import { mayManage } from "../rights";
import type { Product } from "./content";
import { ProductForm } from "./form";

interface Props {
  product: Product;
  onChanged: () => void; // the product has to be read again
}

export function ProductActions({ product, onChanged }: Props) {
  const [open, setOpen] = useState<{ form: "edit" | "archive"; of: Product }>(); // of is the version that was seen when it was opened
  const submit = useSubmit();
  if (!mayManage.value) return null;
  const request = { places: { id: product.id }, ifMatch: `"${product.version}"` };
  const activate = () => submit.run(async () => {
    await send("patch", "/products/{id}", { ...request, body: { status: "active" } });
    say(`${product.name} is active.`);
    onChanged();
  });
  const archive = async (of: Product) => {
    try {
      await send("delete", "/products/{id}", { ...request, ifMatch: `"${of.version}"` });
      say(`${product.name} is archived.`);
    } finally {
      onChanged();
    }
  };
  return (
    <div class="pills">
      <button type="button" onClick={() => setOpen({ form: "edit", of: product })}>Edit</button>
      {product.status === "active" && <button type="button" onClick={() => setOpen({ form: "archive", of: product })}>Archive</button>}
      {product.status === "archived" && <button type="button" disabled={submit.busy} onClick={() => void activate()}>Activate</button>}
      {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
      {open?.form === "edit" && <ProductForm product={open.of} onSaved={onChanged} onClose={() => setOpen(undefined)} />}
      {open?.form === "archive" && (
        <Confirm title={`Archive ${product.name}?`} action="Archive" onConfirm={() => archive(open.of)} onClose={() => setOpen(undefined)}>
          <p>Lists leave it out. Its numbers stay, new events of it are still counted, and it can become active again.</p>
        </Confirm>
      )}
    </div>
  );
}
