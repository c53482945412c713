// The first rows of a file, with what each column means.
import { Field } from "../parts/field";
import type { Row } from "./csv";
import { targets, type Plan, type Target } from "./mapping";

interface Props {
  plan: Plan;
  rows: Row[];
  disabled: boolean;
  onChange: (plan: Plan) => void;
}

// previewed is how many rows are shown.
const previewed = 5;

export function Columns({ plan, rows, disabled, onChange }: Props) {
  const choose = (at: number, target: Target) => onChange({ ...plan, targets: plan.targets.map((old, i) => (i === at ? target : old)) });
  const needsCurrency = (plan.targets.includes("price") || plan.targets.includes("price_minor")) && !plan.targets.includes("currency");
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="First rows">
        <table>
          <thead>
            <tr>{plan.headings.map((heading, i) => <th key={i} scope="col">{heading || `Column ${i + 1}`}</th>)}</tr>
            <tr>
              {plan.headings.map((heading, i) => (
                <td key={i}>
                  <select aria-label={`Column ${heading || i + 1} is`} disabled={disabled} value={plan.targets[i]} onChange={(event) => choose(i, event.currentTarget.value as Target)}>
                    {targets(heading || `Column ${i + 1}`).map(([target, name]) => <option key={target} value={target}>{name}</option>)}
                  </select>
                </td>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, previewed).map((row) => <tr key={row.line}>{plan.headings.map((_, i) => <td key={i} class="name">{row.cells[i]}</td>)}</tr>)}
          </tbody>
        </table>
      </div>
      {needsCurrency && (
        <Field label="Currency of the prices" help="Three letters, such as EUR.">
          {(wired) => (
            <input
              {...wired} name="currency" class="code" size={4} maxLength={3} disabled={disabled} value={plan.currency}
              onInput={(event) => onChange({ ...plan, currency: event.currentTarget.value.trim().toUpperCase() })}
            />
          )}
        </Field>
      )}
    </>
  );
}
