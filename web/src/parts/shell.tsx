// What surrounds each page: where one can go, which project it is about, and who is logged in.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { chooseProject, me, signOut } from "../session";
import { isMember, mayReadUsers } from "../rights";
import { link, page, project, root } from "../route";
import { Keys } from "./keys";
import { Toasts } from "./toast";
import { useViews, ViewBar, ViewList } from "./views";

const places: [name: string, path: string[]][] = [["Overview", []], ["Products", ["products"]], ["Events", ["events"]], ["Users", ["users"]], ["Live", ["live"]]];

export function Shell({ children }: { children: ComponentChildren }) {
  const here = page.value[0] ?? "", views = useViews();
  return (
    <div class="shell">
      <a class="skip" href="#main">Skip to the numbers</a>
      <header class="side">
        <p class="brand">HP Analytics</p>
        <nav aria-label="Pages">
          {places.filter(([name]) => (name !== "Users" && name !== "Live") || mayReadUsers.value).map(([name, path]) => (
            <a key={name} href={link(path)} aria-current={(path[0] ?? "") === here ? "page" : undefined}>{name}</a>
          ))}
        </nav>
        {isMember.value && <ViewList views={views} />}
        <Account />
      </header>
      <main id="main" tabIndex={-1}><ViewBar views={views} />{children}</main>
      <Toasts />
    </div>
  );
}

function Account() {
  const [failure, setFailure] = useState("");
  const leave = () => signOut().catch(() => setFailure("You are still signed in: the server does not answer."));
  const account = me.value;
  if (!account) return null;
  const chosen = project.value || account.projects[0]?.slug || "";
  return (
    <div class="account">
      {account.projects.length > 1 && (
        <label class="field">
          Project
          <select value={chosen} onChange={(event) => chooseProject(event.currentTarget.value)}>
            {account.projects.map((p) => <option key={p.slug} value={p.slug}>{p.name}</option>)}
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
