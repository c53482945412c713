import { useEffect, useState } from "preact/hooks";
import { address, type Answer, type Schemas } from "../api";
import { Failure } from "../parts/fresh";
import { NoRights } from "../parts/norights";
import { PeriodPicker, usePeriodKeys } from "../parts/period";
import { Table } from "../parts/table";
import { Properties, when } from "../history/items";
import { useAnswer } from "../load";
import { beginning, period, plusDays, zone } from "../period";
import { isAdmin, isOwner, slug } from "../rights";
import { go, query, same } from "../route";

type Entry = Schemas["AuditEntry"];

const columns = [{ name: "Time" }, { name: "Who" }, { name: "What" }, { name: "Of" }, { name: "Details" }, { name: "From" }];

export function AuditPage() {
  return isOwner.value ? <Audit /> : <NoRights title="Audit">Only owners of the project see what was done in it.</NoRights>;
}

function Audit() {
  usePeriodKeys();
  const project = useAnswer<Schemas["ProjectDetails"]>(address("/auth/projects/{project}", undefined, { project: slug.value }));
  const known = project.answer?.time_zone;
  useEffect(() => {
    if (known) zone.value = known;
  }, [known]);
  const everything = isAdmin.value && query.value.get("scope") === "all";
  return (
    <>
      <div class="head">
        <h1>Audit</h1>
        <PeriodPicker />
      </div>
      <Filters everything={everything} />
      <Failure loaded={project} />
      <Log everything={everything} ready={known !== undefined && zone.value === known} />
    </>
  );
}

// Log waits until it knows whose clocks begin the days.
function Log({ everything, ready }: { everything: boolean; ready: boolean }) {
  const p = period.value, given = (name: string) => query.value.get(name) ?? undefined;
  const filters = {
    actor: given("actor"), action: given("action"), limit: 50, cursor: given("cursor"),
    from: beginning(p.from, zone.value), to: beginning(plusDays(p.to, 1), zone.value),
  };
  const url = everything ? address("/auth/audit", filters) : address("/auth/projects/{project}/audit", filters, { project: slug.value });
  const loaded = useAnswer<Answer<"/auth/audit">>(ready ? url : "");
  const shown = everything ? [...columns, { name: "Project" }] : columns;
  return (
    <>
      <Failure loaded={loaded} />
      <section class="card steady">
        <Table
          caption="Audit log" columns={shown} next={loaded.answer?.next_cursor} empty="Nothing was done in these days that fits."
          rows={loaded.answer?.items.map((entry) => ({ key: entry.id, cells: [...row(entry), ...(everything ? [entry.project ?? "–"] : [])] }))}
        />
      </section>
    </>
  );
}

function row(entry: Entry) {
  const actor = entry.actor.email ?? entry.actor.id;
  return [
    when(entry.at),
    <><button type="button" class="plain" title="Show only what they did" onClick={() => go(same({ actor: entry.actor.id, cursor: "" }))}>{actor}</button><br /><span class="quiet">{kinds[entry.actor.kind]}</span></>,
    entry.action, entry.subject, <Properties of={entry.details} />,
    <>{entry.address ?? "–"}{entry.request_id !== null && <><br /><span class="quiet">request {entry.request_id}</span></>}</>,
  ];
}

const kinds: Record<Entry["actor"]["kind"], string> = { user: "account", key: "API key", command: "hp-analytics on the server", service: "service" };

// groups are how actions begin.
const groups: [prefix: string, name: string][] = [
  ["", "everything"], ["key.", "keys"], ["member.", "members"], ["invitation.", "invitations"], ["project.", "settings"], ["product.", "products"],
  ["import.", "imports"], ["user.", "users"], ["share_link.", "share links"], ["account.", "accounts"],
];

function Filters({ everything }: { everything: boolean }) {
  const action = query.value.get("action") ?? "", actor = query.value.get("actor") ?? "";
  const [typed, setTyped] = useState("");
  const filter = (event: SubmitEvent) => {
    event.preventDefault();
    if (typed.trim() !== "") go(same({ actor: typed.trim(), cursor: "" }));
    setTyped("");
  };
  return (
    <form class="pills filters" role="search" onSubmit={filter}>
      <select aria-label="Actions" value={action} onChange={(event) => go(same({ action: event.currentTarget.value, cursor: "" }))}>
        {groups.map(([prefix, name]) => <option key={prefix} value={prefix}>{name}</option>)}
        {!groups.some(([prefix]) => prefix === action) && <option value={action}>{action}</option>}
      </select>
      {actor === "" ? (
        <>
          <input type="search" aria-label="Id of who did it" placeholder="Id of an account or key" maxLength={200} value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
          <button>Filter</button>
        </>
      ) : (
        <button type="button" aria-label={`Remove the filter: done by ${actor}`} onClick={() => go(same({ actor: "", cursor: "" }))}>by: {actor} ✕</button>
      )}
      {isAdmin.value && (
        <button type="button" aria-pressed={everything} onClick={() => go(same({ scope: everything ? "" : "all", cursor: "" }))}>all projects and accounts</button>
      )}
    </form>
  );
}
