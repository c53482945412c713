// The invitations to the project, without their links.
import { useState } from "preact/hooks";
import { send, type Answer, type Schemas } from "../api";
import { Confirm } from "../parts/dialog";
import { Failure } from "../parts/fresh";
import { Table } from "../parts/table";
import { say } from "../parts/toast";
import type { Loaded } from "../load";
import { slug } from "../rights";
import { date } from "./key";

type Invitation = Schemas["Invitation"];

const columns = [{ name: "Made" }, { name: "Role" }, { name: "Can be used until" }, { name: "State" }, { name: "What can be done", heard: true }];

function stateOf(i: Invitation): string {
  if (i.used_at !== null) return `used on ${date(i.used_at)}`;
  if (i.revoked_at !== null) return "revoked";
  return Date.parse(i.expires_at) <= Date.now() ? "expired" : "open";
}

export function Invitations({ loaded }: { loaded: Loaded<Answer<"/auth/projects/{project}/invitations">> }) {
  const [revoking, setRevoking] = useState<Invitation>();
  const revoke = async (of: Invitation) => {
    await send("delete", "/auth/projects/{project}/invitations/{id}", { places: { project: slug.value, id: of.id } });
    say("The invitation is revoked.");
    loaded.retry();
  };
  return (
    <section class="card steady">
      <h2>Invitations</h2>
      <Failure loaded={loaded} />
      <Table
        caption="Invitations" cursor="invitations" columns={columns} next={loaded.answer?.next_cursor} empty="Nobody was invited yet."
        rows={loaded.answer?.items.map((i) => {
          const state = stateOf(i), until = new Date(i.expires_at).toLocaleString();
          return {
            key: i.id,
            cells: [
              date(i.created_at), i.project_role, until, state,
              state === "open" && <button type="button" aria-label={`Revoke the invitation that can be used until ${until}`} onClick={() => setRevoking(i)}>Revoke</button>,
            ],
          };
        })}
      />
      {revoking && (
        <Confirm title="Revoke the invitation?" action="Revoke" onConfirm={() => revoke(revoking)} onClose={() => setRevoking(undefined)}>
          <p>Its link does not work any more. You can make another one.</p>
        </Confirm>
      )}
    </section>
  );
}
