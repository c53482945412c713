// What surrounds each page: where one can go, which project it is about, and who is logged in.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { address, type Schemas } from "../api";
import { useAnswer } from "../load";
import { chooseProject, me, signOut } from "../session";
import { isAdmin, isArchived, isMember, isOwner, mayReadUsers, slug, visited } from "../rights";
import { link, page, root } from "../route";
import { Keys } from "./keys";
import { Toasts } from "./toast";
import { useViews, ViewBar, ViewList } from "./views";

// Place is a page of the navigation, which is shown to those who may see it.
type Place = [name: string, path: string[], may?: { value: boolean }];

const places: Place[] = [["Overview", []], ["Products", ["products"]], ["Events", ["events"]], ["Users", ["users"], mayReadUsers], ["Live", ["live"], mayReadUsers], ["Debug", ["debug"], mayReadUsers]];
const managed: Place[] = [["Digests", ["digests"], mayReadUsers], ["Alerts", ["alerts"], mayReadUsers], ["Keys", ["keys"], isOwner], ["Members", ["members"], isOwner], ["Settings", ["settings"], isOwner], ["Audit", ["audit"], isOwner], ["System", ["system"], isAdmin]];

export function Shell({ children }: { children: ComponentChildren }) {
  const views = useViews();
  return (
    <div class="shell">
      <a class="skip" href="#main">Skip to the numbers</a>
      <header class="side">
        <p class="brand">HP Analytics</p>
        <Places label="Pages" all={places} />
        {isMember.value && <ViewList views={views} />}
        <Places label="Manage" all={managed} />
        <Account />
      </header>
      <main id="main" tabIndex={-1}>{isArchived.value && <ArchivedNote />}<ViewBar views={views} />{children}</main>
      <Toasts />
    </div>
  );
}

function ArchivedNote() {
  return (
    <p class="note" role="status">
      This project is archived. Its numbers stay, and it takes no events and no changes. {isOwner.value ? <a href={link(["settings"])}>Reopen it in its settings</a> : "An owner can reopen it."}
    </p>
  );
}

function Places({ label, all }: { label: string; all: Place[] }) {
  const here = page.value[0] ?? "", shown = all.filter(([, , may]) => may?.value !== false);
  if (shown.length === 0) return null;
  return (
    <nav aria-label={label}>
      {shown.map(([name, path]) => <a key={name} href={link(path)} aria-current={(path[0] ?? "") === here ? "page" : undefined}>{name}</a>)}
    </nav>
  );
}

// useVisited reads the project that an admin looks at without being a member of it.
function useVisited(is: boolean): Schemas["ProjectDetails"] | undefined {
  const { answer } = useAnswer<Schemas["ProjectDetails"]>(is ? address("/auth/projects/{project}", undefined, { project: slug.value }) : "");
  useEffect(() => {
    visited.value = answer;
  }, [answer]);
  return answer;
}

function Account() {
  const [failure, setFailure] = useState("");
  const leave = () => signOut().catch(() => setFailure("You are still signed in: the server does not answer."));
  const account = me.value, chosen = slug.value;
  const member = account?.projects.some((p) => p.slug === chosen) ?? false;
  const other = useVisited(isAdmin.value && !member);
  if (!account) return null;
  const projects = member ? account.projects : [{ slug: chosen, name: other?.name ?? chosen, archived: isArchived.value }, ...account.projects]; // admins act in all projects
  return (
    <div class="account">
      {projects.length > 1 && (
        <label class="field">
          Project
          <select value={chosen} onChange={(event) => chooseProject(event.currentTarget.value)}>
            {projects.map((p) => <option key={p.slug} value={p.slug}>{p.archived ? `${p.name} (archived)` : p.name}</option>)}
          </select>
        </label>
      )}
      <a href={link(["account"])} aria-current={page.value[0] === "account" ? "page" : undefined}>{account.email}</a>
      <button type="button" onClick={() => void leave()}>Sign out</button>
      {failure !== "" && <span class="note" role="alert">{failure}</span>}
      <Keys />
      <a href={root + "/docs"} target="_blank" rel="noreferrer">API</a>
    </div>
  );
}
