// What ends the use of a project, and what begins it again.
import { useState } from "preact/hooks";
import { send, type Schemas } from "../api";
import { Confirm } from "../parts/dialog";
import { say } from "../parts/toast";
import { slug } from "../rights";
import { readMe } from "../session";
import { date } from "./key";

interface Props {
  project: Schemas["ProjectDetails"];
  onChanged: () => void;
}

export function ArchiveProject({ project, onChanged }: Props) {
  const [asking, setAsking] = useState(false);
  const is = project.archived_at !== null;
  const change = async () => {
    await send("patch", "/auth/projects/{project}", { places: { project: slug.value }, body: { archived: !is } });
    say(is ? `${project.name} is open again.` : `${project.name} is archived.`);
    onChanged();
    await readMe(); // the navigation marks archived projects
  };
  return (
    <section class="card">
      <h2>{is ? "Reopen the project" : "Archive the project"}</h2>
      <p>{is ? `It was archived on ${date(project.archived_at!)}.` : "Its numbers stay, and it takes no events and no changes until an owner reopens it."}</p>
      <button type="button" onClick={() => setAsking(true)}>{is ? "Reopen" : "Archive"}</button>
      {asking && (
        <Confirm
          title={is ? `Reopen ${project.name}?` : `Archive ${project.name}?`} action={is ? "Reopen the project" : "Archive the project"}
          onConfirm={change} onClose={() => setAsking(false)}
        >
          {is ? <p>Within 5 seconds it takes events and changes again, and its keys work. Events that were refused meanwhile are not there.</p> : <Consequences />}
        </Confirm>
      )}
    </section>
  );
}

function Consequences() {
  return (
    <>
      <p>Within 5 seconds:</p>
      <ul>
        <li>Its keys stop working, so events and orders that are sent to it are refused and lost.</li>
        <li>Nobody changes its products, annotations, views and settings. No digests are sent.</li>
        <li>Members still read everything, and shared links still work. Users can be erased, members removed, keys and links revoked.</li>
      </ul>
      <p>What it has received is still counted. You can reopen it at any time.</p>
    </>
  );
}
