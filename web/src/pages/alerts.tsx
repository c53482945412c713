import { useState } from "preact/hooks";
import { address, send, type Answer, type Schemas } from "../api";
import { Confirm } from "../parts/dialog";
import { Failure } from "../parts/fresh";
import { NoRights } from "../parts/norights";
import { useSubmit } from "../parts/submit";
import { Table } from "../parts/table";
import { say } from "../parts/toast";
import { useAnswer } from "../load";
import { stateOf, words, type Alert } from "../manage/alert";
import { AlertForm } from "../manage/alertform";
import { AlertHistory } from "../manage/alerthistory";
import { mayAnnotate, mayReadUsers } from "../rights";
import { go, link, query, same } from "../route";

const columns = [{ name: "Name" }, { name: "State" }, { name: "Fires for" }, { name: "To" }, { name: "What can be done", heard: true }];

export function AlertsPage() {
  return mayReadUsers.value ? <Alerts /> : <NoRights title="Alerts">Only analysts and owners of the project see its alerts.</NoRights>;
}

interface Open { form: "new" | "edit" | "delete"; of?: Alert }

function Alerts() {
  const loaded = useAnswer<Answer<"/alerts">>(address("/alerts", undefined));
  const [open, setOpen] = useState<Open>();
  const submit = useSubmit();
  const items = loaded.answer?.items, chosen = items?.find((a) => a.id === query.value.get("alert"));
  const test = (of: Alert) => submit.run(async () => {
    await send("post", "/alerts/{id}/test", { places: { id: of.id } });
    say(`A test of ${of.name} is on its way. It arrives within some seconds.`);
  });
  return (
    <>
      <div class="head">
        <h1>Alerts</h1>
        {mayAnnotate.value && <button type="button" class="primary" onClick={() => setOpen({ form: "new" })}>New alert</button>}
      </div>
      <p class="quiet">An alert looks at days and weeks that are over and completely counted, and sends an e-mail or calls a webhook when its condition holds.</p>
      <Failure loaded={loaded} />
      {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
      <section class="card steady">
        <Table
          caption="Alerts" columns={columns} empty="There are no alerts yet. Make one to hear of unusual days."
          rows={items?.map((alert) => row(alert, submit.busy, () => void test(alert), (form) => setOpen({ form, of: alert })))}
        />
      </section>
      {chosen && <AlertHistory key={chosen.id} alert={chosen} />}
      {open && <Forms open={open} onChanged={loaded.retry} onClose={() => setOpen(undefined)} />}
    </>
  );
}

function Forms({ open: { form, of }, onChanged, onClose }: { open: Open; onChanged: () => void; onClose: () => void }) {
  const product = useAnswer<Schemas["Product"]>(form === "edit" && of?.product ? address("/products/{id}", undefined, { id: of.product }) : "");
  const remove = async (alert: Alert) => {
    await send("delete", "/alerts/{id}", { places: { id: alert.id } });
    say(`The alert ${alert.name} is deleted.`);
    go(same({ alert: "" }), true);
    onChanged();
  };
  if (form === "delete" && of) {
    return (
      <Confirm title={`Delete ${of.name}?`} action="Delete" onConfirm={() => remove(of)} onClose={onClose}>
        <p>Nothing more is sent, and what it has found is gone. The numbers stay. This cannot be undone.</p>
      </Confirm>
    );
  }
  if (of?.product && !product.answer && !product.error) return null; // the form needs its SKU
  return <AlertForm alert={of} sku={product.answer?.sku ?? ""} onSaved={onChanged} onClose={onClose} />;
}

function row(alert: Alert, busy: boolean, onTest: () => void, onOpen: (form: "edit" | "delete") => void) {
  const [state, more] = stateOf(alert);
  return {
    key: alert.id,
    cells: [
      <a href={same({ alert: alert.id })}>{alert.name}</a>,
      <><span class={state === "firing" ? "badge down" : "badge"}>{state}</span>{more !== "" && <><br /><span class="quiet">{more}</span></>}</>,
      <>{words(alert)}{alert.product && <> (<a href={link(["products", alert.product])}>product</a>)</>}</>,
      alert.url || alert.recipients.join(", "),
      <div class="pills">
        {mayAnnotate.value && <button type="button" aria-label={`Edit ${alert.name}`} onClick={() => onOpen("edit")}>Edit</button>}
        {mayAnnotate.value && <button type="button" aria-label={`Send a test of ${alert.name}`} disabled={busy} onClick={onTest}>Send a test</button>}
        <button type="button" aria-label={`Delete ${alert.name}`} onClick={() => onOpen("delete")}>Delete</button>
      </div>,
    ],
  };
}
