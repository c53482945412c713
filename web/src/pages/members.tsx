import { useState } from "preact/hooks";
import { address, type Answer } from "../api";
import { Failure } from "../parts/fresh";
import { NoRights } from "../parts/norights";
import { Table } from "../parts/table";
import { useAnswer } from "../load";
import { date } from "../manage/key";
import { Invitations } from "../manage/invitations";
import { Invite } from "../manage/invite";
import { ChangeRole, Remove, type Member } from "../manage/member";
import { isOwner, mayManage, slug } from "../rights";
import { query } from "../route";
import { me } from "../session";

const columns = [{ name: "Member" }, { name: "Role" }, { name: "Since" }, { name: "What can be done", heard: true }];

export function MembersPage() {
  return isOwner.value ? <Members /> : <NoRights title="Members">Only owners of the project see its members.</NoRights>;
}

function Members() {
  const project = slug.value, cursor = (name: string) => query.value.get(name) ?? undefined;
  const loaded = useAnswer<Answer<"/auth/projects/{project}/members">>(address("/auth/projects/{project}/members", { limit: 50, cursor: cursor("cursor") }, { project }));
  const invitations = useAnswer<Answer<"/auth/projects/{project}/invitations">>(
    address("/auth/projects/{project}/invitations", { limit: 20, cursor: cursor("invitations") }, { project }),
  );
  const [inviting, setInviting] = useState(false);
  const [open, setOpen] = useState<{ form: "role" | "remove"; of: Member }>();
  const close = () => setOpen(undefined);
  return (
    <>
      <div class="head">
        <h1>Members</h1>
        {mayManage.value && <button type="button" class="primary" onClick={() => setInviting(true)}>Invite a person</button>}
      </div>
      <Failure loaded={loaded} />
      <section class="card steady">
        <Table
          caption="Members" columns={columns} next={loaded.answer?.next_cursor} empty="The project has no members. Admins of the installation act in it as owners."
          rows={loaded.answer?.items.map((member) => row(member, (form) => setOpen({ form, of: member })))}
        />
      </section>
      {loaded.answer && <Invitations loaded={invitations} />}
      {inviting && <Invite onMade={invitations.retry} onClose={() => setInviting(false)} />}
      {open?.form === "role" && <ChangeRole of={open.of} onChanged={loaded.retry} onClose={close} />}
      {open?.form === "remove" && <Remove of={open.of} onRemoved={loaded.retry} onClose={close} />}
    </>
  );
}

function row(member: Member, onOpen: (form: "role" | "remove") => void) {
  return {
    key: member.user_id,
    cells: [
      <>{member.name || member.email}{member.user_id === me.value?.id && <span class="quiet"> (you)</span>}{member.name !== "" && <><br /><span class="quiet">{member.email}</span></>}</>,
      member.role, date(member.created_at),
      <div class="pills">
        {mayManage.value && <button type="button" aria-label={`Change role of ${member.email}`} onClick={() => onOpen("role")}>Change role</button>}
        <button type="button" aria-label={`Remove ${member.email}`} onClick={() => onOpen("remove")}>Remove</button>
      </div>,
    ],
  };
}
