import { useEffect } from "preact/hooks";
import { address, filled, type Schemas } from "../api";
import { Spark } from "../parts/figure";
import { Copy } from "../parts/copy";
import { lines } from "../parts/guide";
import { sentence } from "../parts/submit";
import { number } from "../format";
import { Filter, FilterPills } from "../history/filter";
import { mostRows, useLive, type Live } from "../live/feed";
import { LiveRow } from "../live/rows";
import { useAnswer } from "../load";
import { zone } from "../period";
import { mayReadUsers } from "../rights";
import { go, project, query, root, same } from "../route";
import { me } from "../session";

export function LivePage() {
  if (!mayReadUsers.value) return <><h1>Live</h1><p class="note">Only analysts and owners of the project see single events.</p></>;
  return <Stream />;
}

function Stream() {
  const given = (name: string) => query.value.get(name) ?? undefined;
  const live = useLive(filled("/analytics/live", { kind: given("kind"), type: given("type"), user_id: given("user"), sku: given("sku") }));
  useZone();
  usePauseKey(live);
  return (
    <>
      <div class="head">
        <h1>Live</h1>
        <div class="pills">
          <Connection live={live} />
          <button type="button" aria-keyshortcuts="p" aria-pressed={live.paused} onClick={live.paused ? live.resume : live.pause}>{live.paused ? `Resume (${number(live.waiting)} waiting)` : "Pause"}</button>
        </div>
      </div>
      {live.refused && <p class="note" role="alert">{sentence(live.refused, "see")}</p>}
      <section class="card rate">
        <h2>{number(live.perSecond.reduce((sum, n) => sum + n, 0))} in the last minute</h2>
        <Spark values={live.perSecond} />
      </section>
      <section class="card">
        <div class="head">
          <h2>As it is stored</h2>
          <Kinds />
          <Filter />
        </div>
        <FilterPills />
        {live.rows.length === 0 ? <Empty /> : <ol class="stream" aria-label="As it is stored">{live.rows.map((row) => <LiveRow key={row.key} row={row} />)}</ol>}
        {live.rows.length === mostRows && <p class="quiet">These are the newest {number(mostRows)}. The pages Events and Users have all.</p>}
      </section>
    </>
  );
}

const kinds = [["", "Everything"], ["event", "Events"], ["order", "Orders"], ["refund", "Refunds"]] as const;

function Kinds() {
  const chosen = query.value.get("kind") ?? "";
  return (
    <div class="pills" role="group" aria-label="What to show">
      {kinds.map(([kind, name]) => <button key={kind} type="button" aria-pressed={kind === chosen} onClick={() => go(same({ kind }))}>{name}</button>)}
    </div>
  );
}

const states: Record<Live["state"], string> = {
  connecting: "Connecting", live: "Live", reconnecting: "Reconnecting: nothing is lost within 15 minutes", offline: "Offline: it goes on when the network is back",
};

function Connection({ live: { state, reason, refused } }: { live: Live }) {
  if (refused) return null;
  return (
    <span role="status" class="light">
      <svg viewBox="0 0 10 10" class={state === "live" ? "dot on" : "dot"} aria-hidden="true"><circle cx="5" cy="5" r="5" /></svg>
      {states[state]}{reason && `. ${reason}`}
    </span>
  );
}

function Empty() {
  return (
    <>
      <p class="quiet">Events, orders and refunds appear here as they are stored, about half a second later. This sends an event:</p>
      <Copy label="Send an event with curl" text={lines("curl", location.origin + root, "YOUR_KEY")} />
    </>
  );
}

// useZone shows times as the clocks of the project do.
function useZone(): void {
  const slug = project.value || me.value?.projects[0]?.slug || "default";
  const settings = useAnswer<Schemas["ProjectDetails"]>(address("/auth/projects/{project}", undefined, { project: slug })).answer;
  useEffect(() => {
    if (settings) zone.value = settings.time_zone;
  }, [settings?.time_zone]);
}

// usePauseKey lets p pause and resume.
function usePauseKey(live: Live): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key !== "p" || event.metaKey || event.ctrlKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || target.closest("dialog")) return;
      if (live.paused) live.resume();
      else live.pause();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [live.paused]);
}
