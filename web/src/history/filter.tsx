// Filters of single events, in the address.
import { useState } from "preact/hooks";
import { go, query, same } from "../route";

// filters are parameters of the address with their names.
const filters = [["type", "name"], ["user", "user"], ["sku", "product"]] as const;

// FilterPills are the filters that are set. A press removes one.
export function FilterPills() {
  const given = (name: string) => query.value.get(name) ?? undefined;
  return (
    <div class="pills filters">
      {filters.map(([id, name]) => given(id) !== undefined && (
        <button key={id} type="button" aria-label={`Remove the filter: ${name} ${given(id)}`} onClick={() => go(same({ [id]: "", raw: "" }))}>{name}: {given(id)} ✕</button>
      ))}
    </div>
  );
}

export function Filter() {
  const [by, setBy] = useState<(typeof filters)[number][0]>("type");
  const [text, setText] = useState("");
  const add = (event: SubmitEvent) => {
    event.preventDefault();
    if (text.trim() === "") return;
    go(same({ [by]: text.trim(), raw: "" }));
    setText("");
  };
  return (
    <form class="pills" role="search" onSubmit={add}>
      <select aria-label="Filter by" value={by} onChange={(event) => setBy(event.currentTarget.value as typeof by)}>
        <option value="type">Name</option>
        <option value="user">Id of the user</option>
        <option value="sku">SKU of the product</option>
      </select>
      <input type="search" aria-label="Value of the filter" maxLength={200} value={text} onInput={(event) => setText(event.currentTarget.value)} />
      <button>Filter</button>
    </form>
  );
}
