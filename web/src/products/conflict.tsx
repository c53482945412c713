// What differs when two people change a product at the same time.
import { money } from "../format";
import { ConflictTable } from "../parts/conflict";
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
  const differences = fields.map((field) => ({
    name: contentFields[field], before: shown(field, was), theirs: theyChanged.includes(field) ? shown(field, are) : undefined,
    mine: iChanged.includes(field) ? shown(field, mine) : undefined,
  }));
  const also = base.status === theirs.status ? undefined : `It is ${theirs.status} now.`;
  return <ConflictTable what="this product" also={also} differences={differences} busy={busy} onKeep={onKeep} onTake={onTake} />;
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
