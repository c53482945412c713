// A table that is read page by page, with its place in the address.
import type { ComponentChildren } from "preact";
import { query, same } from "../route";

export interface Column { name: string; number?: boolean; heard?: boolean } // heard: its name is for screen readers only
export interface TableRow { key: string; cells: ComponentChildren[] }

interface Props {
  caption: string;
  columns: Column[];
  rows?: TableRow[]; // undefined while they are loading
  empty: ComponentChildren;
  next?: string | null; // the cursor of the next page
  cursor?: string; // the parameter of the address that holds the cursor
}

export function Table({ caption, columns, rows, empty, next, cursor = "cursor" }: Props) {
  const first = query.value.get(cursor) === null;
  return (
    <>
      {rows?.length === 0 ? <p class="quiet">{empty}</p> : (
        <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
          <table>
            <thead><tr>{columns.map((c) => <th key={c.name} scope="col" class={c.number ? "number" : ""}>{c.heard ? <span class="heard">{c.name}</span> : c.name}</th>)}</tr></thead>
            <tbody>
              {(rows ?? waiting(columns.length)).map((row) => (
                <tr key={row.key}>{row.cells.map((cell, i) => <td key={i} class={columns[i]?.number ? "number" : "name"}>{cell}</td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {(!first || next) && (
        <nav class="pills pages" aria-label={`Pages of ${caption}`}>
          {!first && <a href={same({ [cursor]: "" })}>First page</a>}
          {next && <a href={same({ [cursor]: next })}>Next page</a>}
        </nav>
      )}
    </>
  );
}

const waiting = (columns: number): TableRow[] =>
  [..."12345"].map((key) => ({ key, cells: Array.from({ length: columns }, () => <span class="skeleton" />) }));
