// What an owner does with a member. The server keeps the last owner of a project.
import { useState } from "preact/hooks";
import { send, type Schemas } from "../api";
import { Confirm } from "../parts/dialog";
import { say } from "../parts/toast";
import { slug } from "../rights";
import { go, link } from "../route";
import { me, readMe } from "../session";
import { RoleField } from "./rolefield";

export type Member = Schemas["Member"];

const placesOf = (of: Member) => ({ project: slug.value, user_id: of.user_id });

export function ChangeRole({ of, onChanged, onClose }: { of: Member; onChanged: () => void; onClose: () => void }) {
  const [role, setRole] = useState(of.role);
  const change = async () => {
    await send("put", "/auth/projects/{project}/members/{user_id}", { places: placesOf(of), body: { role } });
    say(`${of.email} is ${role} now.`);
    if (of.user_id === me.value?.id) await readMe();
    onChanged();
  };
  return (
    <Confirm title={`Role of ${of.email}`} action="Save" onConfirm={change} onClose={onClose}>
      <RoleField value={role} onChange={setRole} />
      {of.role === "owner" && role !== "owner" && <p>API keys that this member made stop working.</p>}
    </Confirm>
  );
}

export function Remove({ of, onRemoved, onClose }: { of: Member; onRemoved: () => void; onClose: () => void }) {
  const own = of.user_id === me.value?.id;
  const remove = async () => {
    await send("delete", "/auth/projects/{project}/members/{user_id}", { places: placesOf(of) });
    say(own ? "You left the project." : `${of.email} is no member any more.`);
    if (!own) return onRemoved();
    go(link([], { project: "" }));
    await readMe();
  };
  return (
    <Confirm title={own ? "Leave the project?" : `Remove ${of.email}?`} action={own ? "Leave" : "Remove"} onConfirm={remove} onClose={onClose}>
      <p>
        {own ? "You lose" : "The account stays, and loses"} access to this project within 5 seconds.
        {of.role === "owner" && ` API keys that ${own ? "you" : "this member"} made stop working.`} A new invitation gives it back.
      </p>
    </Confirm>
  );
}
