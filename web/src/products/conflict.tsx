// What differs when two people change a product at the same time.
import { money } from "../format";
import { changedFields, contentFields, contentOf, type Content, type ContentField, type Product } from "./content";

interface Props {
  base: Product; // what both have changed
  theirs: Product;
  mine: Content;
  busy: boolean;
  onKeep: () => void;
  onTake: () => void;
}

export function Conflict({ base, theirs, mine, busy, onKeep, onTake }: Props) {
  const [was, are] = [contentOf(base), contentOf(theirs)];
  const [iChanged, theyChanged] = [changedFields(was, mine), changedFields(was, are)];
  const fields = (Object.keys(contentFields) as ContentField[]).filter((field) => iChanged.includes(field) || theyChanged.includes(field));
  return (
    <section aria-label="Conflict">
      <p class="note" role="alert">Somebody else changed this product after you opened it. Nothing of yours is saved yet.</p>
      {base.status !== theirs.status && <p>It is {theirs.status} now.</p>}
      <div class="scroll" tabIndex={0} role="region" aria-label="What differs">
        <table>
          <thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">Theirs</th><th scope="col">Yours</th></tr></thead>
          <tbody>
            {fields.map((field) => (
              <tr key={field}>
                <th scope="row">{contentFields[field]}</th>
                <td class="name">{shown(field, was)}</td>
                <td class="name">{theyChanged.includes(field) ? shown(field, are) : <span class="quiet">unchanged</span>}</td>
                <td class="name">{iChanged.includes(field) ? shown(field, mine) : <span class="quiet">unchanged</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet">Keeping yours writes the fields that you changed; the others stay as they left them.</p>
      <div class="pills">
        <button type="button" class="primary" disabled={busy} onClick={onKeep}>Keep mine</button>
        <button type="button" disabled={busy} onClick={onTake}>Take theirs</button>
      </div>
    </section>
  );
}

function shown(field: ContentField, c: Content): string {
  switch (field) {
    case "price_minor":
      return money(c.price_minor, c.currency);
    case "prices":
      return Object.entries(c.prices).map(([currency, minor]) => money(minor, currency)).join(", ") || "none";
    case "attributes":
      return JSON.stringify(c.attributes);
    default:
      return c[field] || "empty";
  }
}
