// A ranking with bars behind its numbers.
import type { ComponentChildren } from "preact";

export interface Row { key: string; name: ComponentChildren; value: number; shown: string; more?: ComponentChildren[] }

interface Props {
  caption: string;
  columns: string[]; // the name, the value, and what is beside it
  rows?: Row[]; // undefined while they are loading
  empty: ComponentChildren;
}

export function Ranking({ caption, columns, rows, empty }: Props) {
  if (rows?.length === 0) return <p class="quiet">{empty}</p>;
  const most = Math.max(...(rows ?? []).map((row) => row.value), 1);
  return (
    <div class="scroll ranking" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <thead>
          <tr>{columns.map((name, i) => <th key={name} scope="col" class={i === 0 ? "" : "number"}>{name}</th>)}</tr>
        </thead>
        <tbody>
          {(rows ?? waiting).map((row) => (
            <tr key={row.key}>
              <td class="name share">
                <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect width={(100 * Math.max(row.value, 0)) / most} height="1" /></svg>
                <span>{row.name}</span>
              </td>
              <td class="number">{row.shown}</td>
              {row.more?.map((cell, i) => <td key={i} class="number">{cell}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const waiting: Row[] = [..."12345"].map((key) => ({ key, name: <span class="skeleton" />, value: 0, shown: "" }));
