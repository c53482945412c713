// All projects of the installation, for its admins, and the form that makes one.
import { useState } from "preact/hooks";
import { address, send, type Answer } from "../api";
import { Dialog } from "../parts/dialog";
import { Field } from "../parts/field";
import { Choice } from "../parts/form";
import { Failure } from "../parts/fresh";
import { useSubmit } from "../parts/submit";
import { Table } from "../parts/table";
import { useAnswer } from "../load";
import { link, query } from "../route";
import { chooseProject, readMe } from "../session";
import { date } from "./key";

const columns = [{ name: "Name" }, { name: "Slug" }, { name: "Time zone" }, { name: "Currency" }, { name: "Created" }];

export function Projects() {
  const loaded = useAnswer<Answer<"/auth/projects">>(address("/auth/projects", { limit: 20, cursor: query.value.get("projects") ?? undefined }));
  const [creating, setCreating] = useState(false);
  return (
    <section class="card steady">
      <div class="head">
        <h2>All projects</h2>
        <button type="button" onClick={() => setCreating(true)}>New project</button>
      </div>
      <Failure loaded={loaded} />
      <Table
        caption="All projects" cursor="projects" columns={columns} next={loaded.answer?.next_cursor} empty="There are no projects."
        rows={loaded.answer?.items.map((p) => ({ key: p.slug, cells: [<><a href={link(["settings"], { project: p.slug })}>{p.name}</a>{p.archived_at !== null && <> <span class="badge">archived</span></>}</>, p.slug, p.time_zone, p.currency, date(p.created_at)] }))}
      />
      {creating && <NewProject onClose={() => setCreating(false)} />}
    </section>
  );
}

function NewProject({ onClose }: { onClose: () => void }) {
  const submit = useSubmit(["/slug", "/name", "/time_zone", "/currency"]);
  const make = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement), text = (name: string) => String(given.get(name) ?? "");
    void submit.run(async () => {
      const made = await send("post", "/auth/projects", { body: { slug: text("slug"), name: text("name"), time_zone: text("time_zone"), currency: text("currency") } });
      onClose();
      await readMe();
      chooseProject(made.slug);
    });
  };
  return (
    <Dialog title="New project" onClose={onClose}>
      <form class="form" onSubmit={make}>
        <Field label="Name" error={submit.errorOf("/name")}>{(wired) => <input {...wired} name="name" required maxLength={200} />}</Field>
        <Field label="Slug" help="Names the project in addresses and requests, such as shop-eu. It never changes." error={submit.errorOf("/slug")}>
          {(wired) => <input {...wired} name="slug" required maxLength={63} autocapitalize="none" spellcheck={false} />}
        </Field>
        <Choice name="time_zone" label="Time zone" value={Intl.DateTimeFormat().resolvedOptions().timeZone} from={Intl.supportedValuesOf("timeZone")} />
        <Choice name="currency" label="Currency" value="EUR" from={Intl.supportedValuesOf("currency")} />
        {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
        <div class="pills">
          <button class="primary" disabled={submit.busy}>Create</button>
          <button type="button" onClick={onClose}>Cancel</button>
        </div>
      </form>
    </Dialog>
  );
}
