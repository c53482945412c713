import { address, type Answer, type Schemas } from "../api";
import { ago, number } from "../format";
import { when } from "../history/items";
import { advice, title } from "../history/reasons";
import { useAnswer } from "../load";
import { Failure } from "../parts/fresh";
import { Table } from "../parts/table";
import { isOwner, mayReadUsers } from "../rights";
import { go, query, same } from "../route";

type Rejection = Schemas["Rejection"];

export function DebugPage() {
  if (!mayReadUsers.value) return <><h1>Debug</h1><p class="note">Only analysts and owners of the project see what was refused.</p></>;
  return <Refused />;
}

// shownOfReason is how many refusals are shown for one reason.
const shownOfReason = 10;

function Refused() {
  const key = query.value.get("key") ?? undefined;
  const loaded = useAnswer<Answer<"/rejections">>(address("/rejections", { key, limit: 1000 })), nameOf = useKeyNames();
  const all = loaded.answer;
  return (
    <>
      <div class="head">
        <h1>Debug</h1>
        <button type="button" onClick={loaded.retry}>Refresh</button>
      </div>
      <p class="fresh" role="status">{all && "What was sent to the project and refused, in the last 7 days at most. This page looks every 15 seconds."}</p>
      <Failure loaded={loaded} />
      <div class="pills filters">{key && <button type="button" aria-label={`Remove the filter: key ${nameOf(key)}`} onClick={() => go(same({ key: "" }))}>key: {nameOf(key)} ✕</button>}</div>
      <section class="card">
        <h2>Who sent it</h2>
        <Table
          caption="Who sent what was refused" empty="Nothing was refused in the last 7 days."
          columns={[{ name: "Sent by" }, { name: "Refused", number: true }, { name: "Last valid" }, { name: "In short" }]}
          rows={all?.senders.map((sender) => ({
            key: sender.key_id ?? "accounts",
            cells: [
              sender.key_id === null ? "people who are signed in" : <a href={same({ key: sender.key_id })}>{nameOf(sender.key_id)}</a>,
              number(sender.refused), sender.valid_at === null ? "never" : ago(sender.valid_at, Date.now()), sender.summary,
            ],
          }))}
        />
      </section>
      {groups(all?.items ?? []).map(([code, items]) => <Reason key={code} code={code} items={items} nameOf={nameOf} />)}
    </>
  );
}

function Reason({ code, items, nameOf }: { code: string; items: Rejection[]; nameOf: (key: string) => string }) {
  return (
    <section class="card" aria-label={title(code)}>
      <h2>{title(code)} <span class="badge">{number(items.length)}</span></h2>
      <p>{advice(code) ?? items[0]!.detail}</p>
      <Table
        caption={`Refused: ${title(code)}`} empty="" columns={[{ name: "Time" }, { name: "What" }, { name: "Sent by" }, { name: "Where" }, { name: "Why" }, { name: "Sent" }]}
        rows={items.slice(0, shownOfReason).map((item) => ({
          key: item.id,
          cells: [when(item.at), item.kind, item.key_id === null ? "a person" : nameOf(item.key_id), item.pointer, item.detail, <Sent item={item} />],
        }))}
      />
      {items.length > shownOfReason && <p class="quiet">These are the newest {number(shownOfReason)} of {number(items.length)}.</p>}
    </section>
  );
}

// Sent shows what was sent. The server has hidden the values of properties and the ids of people.
function Sent({ item }: { item: Rejection }) {
  if (Object.keys(item.item).length === 0) return <span class="quiet">not readable</span>;
  return (
    <details>
      <summary>Show</summary>
      <pre tabIndex={0} aria-label="What was sent">{JSON.stringify(item.item, null, 2)}</pre>
    </details>
  );
}

// groups are the refusals by their reason, the most frequent first.
function groups(items: Rejection[]): [code: string, items: Rejection[]][] {
  const by = new Map<string, Rejection[]>();
  for (const item of items) by.set(item.code, [...(by.get(item.code) ?? []), item]);
  return [...by].sort((a, b) => b[1].length - a[1].length);
}

// useKeyNames returns the names of API keys, as far as the account may read them.
function useKeyNames(): (id: string) => string {
  const keys = useAnswer<Answer<"/auth/api-keys">>(isOwner.value ? address("/auth/api-keys", undefined) : "").answer?.items;
  return (id) => keys?.find((key) => key.id === id)?.name ?? `key ${id.slice(0, 8)}`;
}
