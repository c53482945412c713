import { useEffect, useState } from "preact/hooks";
import { address, send, type Answer } from "../api";
import { Confirm } from "../parts/dialog";
import { Failure } from "../parts/fresh";
import { NoRights } from "../parts/norights";
import { useSubmit } from "../parts/submit";
import { Table } from "../parts/table";
import { say } from "../parts/toast";
import { useAnswer } from "../load";
import { isTesting, lastOf, when, type Digest } from "../manage/digest";
import { DigestForm } from "../manage/digestform";
import { mayAnnotate, mayReadUsers } from "../rights";

const columns = [{ name: "Name" }, { name: "Sent" }, { name: "To" }, { name: "Last" }, { name: "What can be done", heard: true }];

export function DigestsPage() {
  return mayReadUsers.value ? <Digests /> : <NoRights title="Digests">Only analysts and owners of the project see its digests.</NoRights>;
}

// testLook is the time between two looks for the result of a test, in milliseconds.
const testLook = 2000;

function Digests() {
  const loaded = useAnswer<Answer<"/digests">>(address("/digests", undefined));
  const [open, setOpen] = useState<{ form: "new" | "edit" | "delete"; of?: Digest }>();
  const submit = useSubmit();
  const close = () => setOpen(undefined), items = loaded.answer?.items;
  useEffect(() => {
    if (!items?.some(isTesting)) return;
    const timer = setTimeout(loaded.retry, testLook);
    return () => clearTimeout(timer);
  }, [items]);
  const test = (of: Digest) => submit.run(async () => {
    await send("post", "/digests/{id}/test", { places: { id: of.id } });
    say(`A test of ${of.name} is on its way. The list shows what became of it.`);
    loaded.retry();
  });
  const remove = async (of: Digest) => {
    await send("delete", "/digests/{id}", { places: { id: of.id } });
    say(`The digest ${of.name} is deleted.`);
    loaded.retry();
  };
  return (
    <>
      <div class="head">
        <h1>Digests</h1>
        {mayAnnotate.value && <button type="button" class="primary" onClick={() => setOpen({ form: "new" })}>New digest</button>}
      </div>
      <p class="quiet">A digest sends the numbers of the project each day or each week, by e-mail or to a webhook.</p>
      <Failure loaded={loaded} />
      {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
      <section class="card steady">
        <Table
          caption="Digests" columns={columns} empty="There are no digests yet. Make one to get the numbers without looking here."
          rows={items?.map((digest) => row(digest, submit.busy, () => void test(digest), (form) => setOpen({ form, of: digest })))}
        />
      </section>
      {open?.form === "new" && <DigestForm onSaved={loaded.retry} onClose={close} />}
      {open?.form === "edit" && <DigestForm digest={open.of} onSaved={loaded.retry} onClose={close} />}
      {open?.form === "delete" && open.of && (
        <Confirm title={`Delete ${open.of.name}?`} action="Delete" onConfirm={() => remove(open.of!)} onClose={close}>
          <p>Nothing more is sent. The numbers stay. This cannot be undone.</p>
        </Confirm>
      )}
    </>
  );
}

function row(digest: Digest, busy: boolean, onTest: () => void, onOpen: (form: "edit" | "delete") => void) {
  const [what, how, failure] = lastOf(digest);
  return {
    key: digest.id,
    cells: [
      <>{digest.name}{!digest.enabled && <> <span class="badge">off</span></>}</>,
      when(digest), digest.url || digest.recipients.join(", "),
      <>{what}{how !== "" && <><br /><span class="quiet">{how}</span></>}{failure !== "" && <><br /><span class="down">{failure}</span></>}</>,
      <div class="pills">
        {mayAnnotate.value && <button type="button" aria-label={`Edit ${digest.name}`} onClick={() => onOpen("edit")}>Edit</button>}
        {mayAnnotate.value && <button type="button" aria-label={`Send a test of ${digest.name}`} disabled={busy || isTesting(digest)} onClick={onTest}>Send a test</button>}
        <button type="button" aria-label={`Delete ${digest.name}`} onClick={() => onOpen("delete")}>Delete</button>
      </div>,
    ],
  };
}
