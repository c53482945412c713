import { useState } from "preact/hooks";
import { address, type Answer } from "../api";
import { Failure } from "../parts/fresh";
import { NoRights } from "../parts/norights";
import { Table } from "../parts/table";
import { useAnswer } from "../load";
import { date, limits, may, origins, stateOf, used, type Key } from "../manage/key";
import { NewKey } from "../manage/newkey";
import { Revoke } from "../manage/revoke";
import { isOwner, mayManage } from "../rights";
import { go, query, same } from "../route";

const columns = [
  { name: "Name" }, { name: "Kind" }, { name: "May" }, { name: "Limits" }, { name: "Created" }, { name: "Last used" }, { name: "State" }, { name: "What can be done", heard: true },
];

export function KeysPage() {
  return isOwner.value ? <Keys /> : <NoRights title="Keys">Only owners of the project see its API keys. Ask an owner for a key.</NoRights>;
}

function Keys() {
  const all = query.value.get("state") === "all";
  const loaded = useAnswer<Answer<"/auth/api-keys">>(address("/auth/api-keys", undefined));
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<Key>();
  const shown = loaded.answer?.items.filter((key) => all || stateOf(key) === "active");
  const others = (loaded.answer?.items.length ?? 0) - (shown?.length ?? 0);
  return (
    <>
      <div class="head">
        <h1>Keys</h1>
        {mayManage.value && <button type="button" class="primary" onClick={() => setCreating(true)}>New key</button>}
      </div>
      <p class="quiet">Servers send and read with a secret key, and web pages send with a public one. A key acts in this project only.</p>
      <div class="pills filters" role="group" aria-label="State">
        <button type="button" aria-pressed={!all} onClick={() => go(same({ state: "" }))}>active</button>
        <button type="button" aria-pressed={all} onClick={() => go(same({ state: "all" }))}>all</button>
      </div>
      <Failure loaded={loaded} />
      <section class="card steady">
        <Table
          caption="Keys" columns={columns} rows={shown?.map((key) => row(key, () => setRevoking(key)))}
          empty={others > 0 ? "No key is active: all have ended. Make one to send events." : "There are no keys yet. Make one to send events."}
        />
      </section>
      {creating && <NewKey onMade={loaded.retry} onClose={() => setCreating(false)} />}
      {revoking && <Revoke of={revoking} onRevoked={loaded.retry} onClose={() => setRevoking(undefined)} />}
    </>
  );
}

function row(key: Key, onRevoke: () => void) {
  const state = stateOf(key);
  return {
    key: key.id,
    cells: [
      <>{key.name}<br /><span class="quiet">{key.prefix}…</span></>,
      <>{key.kind}{key.public && <><br /><span class="quiet">{origins(key.public)}</span></>}</>,
      may(key), limits(key),
      <>{date(key.created_at)}{key.account !== "" && <><br /><span class="quiet">{key.account}</span></>}</>,
      used(key), state,
      state === "active" && <button type="button" aria-label={`Revoke ${key.name}`} onClick={onRevoke}>Revoke</button>,
    ],
  };
}
