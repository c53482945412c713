// What hp-analytics doctor says, in its words.
import type { Schemas } from "../api";
import { number } from "../format";

type Finding = Schemas["SystemFinding"];

const levels: Record<Finding["level"], string> = { ok: "ok", warning: "to look at", problem: "wrong" };

export function Findings({ of }: { of: Finding[] }) {
  const order: Finding["level"][] = ["problem", "warning"], wrong = order.flatMap((level) => of.filter((f) => f.level === level));
  const fine = of.filter((f) => f.level === "ok");
  return (
    <section class="card">
      <h2>{wrong.length === 0 ? "All is well" : "What needs attention"}</h2>
      {wrong.length > 0 && <ul class="findings" aria-label="What needs attention">{wrong.map((f) => <Line key={f.area + f.check + f.says} of={f} />)}</ul>}
      <details>
        <summary>{number(fine.length)} checks are fine</summary>
        <ul class="findings">{fine.map((f) => <Line key={f.area + f.check + f.says} of={f} />)}</ul>
      </details>
    </section>
  );
}

function Line({ of: f }: { of: Finding }) {
  return (
    <li>
      <span class="badge">{levels[f.level]}</span> <b>{f.area}, {f.check}:</b> {f.says}
      {f.do !== "" && <p class="quiet">What to do: {f.do}</p>}
    </li>
  );
}
