// Counts of steps that follow one another, as bars that get shorter, with what each is of the one before.
import { number, share } from "../format";

export interface Step {
  name: string;
  unit: string; // what the next step is a share of
  count: number;
}

export function Funnel({ steps }: { steps: Step[] }) {
  const most = Math.max(...steps.map((step) => step.count), 1);
  return (
    <ol class="funnel">
      {steps.map((step, i) => {
        const before = steps[i - 1];
        const next = steps[i + 1]?.count ?? step.count;
        return (
          <li key={step.name}>
            <span class="label">{step.name} <strong>{number(step.count)}</strong></span>
            <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><path d={shape((100 * step.count) / most, (100 * next) / most)} /></svg>
            <span class="quiet">{before ? `${before.count > 0 ? share(step.count / before.count) : "–"} of ${before.unit}` : ""}</span>
          </li>
        );
      })}
    </ol>
  );
}

// shape is a bar of one width that leans over to the width of the next one, in hundredths.
const shape = (width: number, next: number): string =>
  `M${50 - width / 2} 0H${50 + width / 2}L${50 + next / 2} 10H${50 - next / 2}Z`;
