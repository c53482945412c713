// The rows of a file that are not imported, with the reasons.
import { download } from "../parts/download";
import { number } from "../format";
import { write } from "./csv";
import type { Refused } from "./run";

// listed is how many rows are shown; the file has all of them.
const listed = 100;

export function Refusals({ title, headings, refused }: { title: string; headings: string[]; refused: Refused[] }) {
  if (refused.length === 0) return null;
  const save = () => {
    const lines = refused.map(({ row, why }) => [...headings.map((_, i) => row.cells[i] ?? ""), why]);
    download("refused-products.csv", new Blob(["\ufeff", write([[...headings, "error"], ...lines])], { type: "text/csv;charset=utf-8" }));
  };
  return (
    <section class="card" aria-label={title}>
      <div class="head">
        <h2>{title}</h2>
        <button type="button" onClick={save}>Download these rows</button>
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label={title}>
        <table>
          <thead><tr><th scope="col" class="number">Line</th><th scope="col">First cells</th><th scope="col">Why</th></tr></thead>
          <tbody>
            {refused.slice(0, listed).map(({ row, why }) => (
              <tr key={row.line}><td class="number">{row.line}</td><td class="name">{row.cells.slice(0, 3).join(", ")}</td><td class="name">{why}</td></tr>
            ))}
          </tbody>
        </table>
      </div>
      {refused.length > listed && <p class="quiet">And {number(refused.length - listed)} more.</p>}
    </section>
  );
}
