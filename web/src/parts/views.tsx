// Saved views: states of pages that have a name. They are in the navigation, and the page of one says which it is.
import { useState } from "preact/hooks";
import { address, send, type Answer, type Schemas } from "../api";
import { missing, useAnswer, type Loaded } from "../load";
import { mayAnnotate, mayKeepViews, mayManage } from "../rights";
import { go, here, page, query, same, toView } from "../route";
import { Confirm, Dialog } from "./dialog";
import { Field } from "./field";
import { Failure } from "./fresh";
import { useSubmit } from "./submit";
import { say } from "./toast";

type View = Schemas["SavedView"];
type Loading = Loaded<Answer<"/views">>;

// useViews reads the views when somebody looks at them.
export function useViews(): Loading & { open: boolean; setOpen: (open: boolean) => void } {
  const [open, setOpen] = useState(false);
  const loaded = useAnswer<Answer<"/views">>(open || query.value.has("view") ? address("/views", undefined) : "");
  return { ...loaded, open, setOpen };
}

// ViewList is the part of the navigation that has the views.
export function ViewList({ views }: { views: ReturnType<typeof useViews> }) {
  const [saving, setSaving] = useState(false);
  const items = views.answer?.items;
  return (
    <details class="views" onToggle={(event) => views.setOpen(event.currentTarget.open)}>
      <summary>Saved views</summary>
      {views.open && <Failure loaded={views} />}
      <nav aria-label="Saved views">
        {items?.map((view) => (
          <a key={view.id} href={toView(view)} aria-current={query.value.get("view") === view.id ? "page" : undefined} title={view.own ? undefined : `Shared by ${view.owner}`}>
            {view.name}
          </a>
        ))}
      </nav>
      {items?.length === 0 && <p class="quiet">There are none yet.</p>}
      {page.value[0] !== "account" && mayKeepViews.value && <button type="button" onClick={() => setSaving(true)}>Save this view</button>}
      {saving && <Editor onSaved={views.retry} onClose={() => setSaving(false)} />}
    </details>
  );
}

// ViewBar says which view a page is, and lets its owner change it.
export function ViewBar({ views }: { views: Loading }) {
  const [renaming, setRenaming] = useState(false);
  const [removing, setRemoving] = useState(false);
  const submit = useSubmit();
  const id = query.value.get("view");
  if (id === null) return null;
  const view = views.answer?.items.find((v) => v.id === id);
  if (!view) {
    if (views.answer) return <p class="note" role="status">This saved view was deleted, or it is not shared with you any more. You see the page that it was about.</p>;
    return <><Failure loaded={views} /><p class="viewing">Saved view</p></>;
  }
  const mayEdit = view.own && mayKeepViews.value;
  const changed = toView({ id, address: here.value }) !== toView(view);
  const update = () => submit.run(async () => {
    await send("put", "/views/{id}", { places: { id }, body: { name: view.name, address: here.value, shared: view.shared } });
    say("The view is saved.");
    views.retry();
  });
  const remove = async () => {
    await send("delete", "/views/{id}", { places: { id } });
    say(`The view ${view.name} is deleted.`);
    go(same({ view: "" }), true);
    views.retry();
  };
  return (
    <>
      <div class="viewing pills">
        <span>Saved view <b>{view.name}</b>{!view.own && <span class="quiet"> by {view.owner}</span>}{changed && <span class="quiet">, changed</span>}</span>
        {changed && mayEdit && <button type="button" disabled={submit.busy} onClick={() => void update()}>Save the changes</button>}
        {changed && <a href={toView(view)}>Back to the view</a>}
        {mayEdit && <button type="button" onClick={() => setRenaming(true)}>Rename or share</button>}
        {(mayEdit || mayManage.value) && <button type="button" onClick={() => setRemoving(true)}>Delete the view</button>}
      </div>
      {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
      {missing.value === here.value && <p class="note" role="status">This view is about something that does not exist any more.</p>}
      {renaming && <Editor view={view} onSaved={views.retry} onClose={() => setRenaming(false)} />}
      {removing && (
        <Confirm title="Delete the view" action="Delete" onConfirm={remove} onClose={() => setRemoving(false)}>
          <p>{view.shared ? `“${view.name}” disappears for all members.` : `“${view.name}” disappears from your list.`} No numbers are deleted.</p>
        </Confirm>
      )}
    </>
  );
}

// Editor saves the page as a new view, or gives a view another name.
function Editor({ view, onSaved, onClose }: { view?: View; onSaved: () => void; onClose: () => void }) {
  const [name, setName] = useState(view?.name ?? "");
  const [shared, setShared] = useState(view?.shared ?? false);
  const submit = useSubmit(["/name"]);
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    void submit.run(async () => {
      const body = { name, shared, address: view?.address ?? here.value };
      if (view) await send("put", "/views/{id}", { places: { id: view.id }, body });
      else go(toView(await send("post", "/views", { body })));
      say("The view is saved.");
      onSaved();
      onClose();
    });
  };
  return (
    <Dialog title={view ? "Rename or share the view" : "Save this view"} onClose={onClose}>
      <form class="form" onSubmit={save}>
        {!view && <p>A view keeps the page with its days, filters and numbers. A preset such as 7 days moves on with the days.</p>}
        <Field label="Name" error={submit.errorOf("/name")}>
          {(wired) => <input {...wired} autofocus name="view-name" required maxLength={100} value={name} onInput={(event) => setName(event.currentTarget.value)} />}
        </Field>
        {mayAnnotate.value && (
          <label><input type="checkbox" name="shared" checked={shared} onChange={(event) => setShared(event.currentTarget.checked)} /> All members of the project see it</label>
        )}
        {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
        <div class="pills"><button class="primary" disabled={submit.busy}>Save</button></div>
      </form>
    </Dialog>
  );
}
