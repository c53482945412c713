// The form that invites a person by a link, which is shown once.
import { useState } from "preact/hooks";
import { send, type Schemas } from "../api";
import { Dialog } from "../parts/dialog";
import { Field } from "../parts/field";
import { Secret } from "../parts/secret";
import { useSubmit } from "../parts/submit";
import { slug } from "../rights";
import { root } from "../route";
import { RoleField } from "./rolefield";
import type { ProjectRole } from "./roles";

interface Props {
  onMade: () => void;
  onClose: () => void;
}

const lives: [name: string, hours: number][] = [["a day", 24], ["7 days", 168], ["30 days", 720]];

export function Invite({ onMade, onClose }: Props) {
  const [made, setMade] = useState<Schemas["ProjectInvitationCreated"]>();
  const [role, setRole] = useState<ProjectRole>("viewer");
  const [hours, setHours] = useState(168);
  const submit = useSubmit();
  const make = (event: SubmitEvent) => {
    event.preventDefault();
    void submit.run(async () => {
      setMade(await send("post", "/auth/projects/{project}/invitations", { places: { project: slug.value }, body: { role, valid_hours: hours } }));
      onMade();
    });
  };
  if (made) return <Dialog title="Invitation" onClose={onClose}><Made made={made} onClose={onClose} /></Dialog>;
  return (
    <Dialog title="Invite a person" onClose={onClose}>
      <form class="form" onSubmit={make}>
        <p>You get a link to send. Whoever opens it first joins this project, with a new account or one that exists.</p>
        <RoleField value={role} onChange={setRole} />
        <Field label="Can be used for">
          {(wired) => (
            <select {...wired} name="life" value={hours} onChange={(event) => setHours(Number(event.currentTarget.value))}>
              {lives.map(([name, hours]) => <option key={hours} value={hours}>{name}</option>)}
            </select>
          )}
        </Field>
        {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
        <div class="pills">
          <button class="primary" disabled={submit.busy}>Make the link</button>
          <button type="button" onClick={onClose}>Cancel</button>
        </div>
      </form>
    </Dialog>
  );
}

function Made({ made, onClose }: { made: Schemas["ProjectInvitationCreated"]; onClose: () => void }) {
  return (
    <div class="form">
      <p>Copy the link now. It is not shown again. One person can use it, as {made.role}, until {new Date(made.expires_at).toLocaleString()}.</p>
      <Secret label="Link" name="link" text={`${location.origin}${root}/app/join#${made.token}`} action="Copy the link" />
      <div class="pills"><button type="button" onClick={onClose}>Done</button></div>
    </div>
  );
}
