// The controls of what an alert looks at, and when it fires.
import type { Schemas } from "../api";
import { Field, type Wired } from "../parts/field";
import type { Submit } from "../parts/submit";
import { baselines, conditions, directions, metrics, namesEvents, type AlertDraft } from "./alert";
import { clock, hours } from "./digest";

interface Props { draft: AlertDraft; errorOf: Submit["errorOf"]; onChange: (part: Partial<AlertDraft>) => void }

export function AlertFields({ draft, errorOf, onChange }: Props) {
  const text = (field: "name" | "currency" | "event" | "sku" | "threshold" | "percent" | "sensitivity") => ({
    name: field, value: draft[field], onInput: (event: { currentTarget: HTMLInputElement }) => onChange({ [field]: event.currentTarget.value }),
  });
  return (
    <>
      <Field label="Name" help="It is in the subject of e-mails." error={errorOf("/name")}>{(wired) => <input {...wired} {...text("name")} required maxLength={100} />}</Field>
      <Field label="Looks at">{(wired) => <Select wired={wired} name="metric" value={draft.metric} from={metrics} onChange={(metric) => onChange({ metric })} />}</Field>
      {draft.metric === "revenue" && <Field label="Currency" error={errorOf("/currency")}>{(wired) => <input {...wired} {...text("currency")} required minLength={3} maxLength={3} />}</Field>}
      {namesEvents(draft.metric) && draft.sku === "" && <Field label="Name of the events (optional)" help="Empty: all events." error={errorOf("/event")}>{(wired) => <input {...wired} {...text("event")} maxLength={200} />}</Field>}
      <Field label="SKU of the product (optional)" help="Empty: the whole project.">{(wired) => <input {...wired} {...text("sku")} maxLength={200} />}</Field>
      <Field label="Of each">
        {(wired) => (
          <Select
            wired={wired} name="every" value={draft.every} from={[["day", "day"], ["week", "week"]]}
            onChange={(every) => onChange(every === "week" && draft.condition === "anomaly" ? { every, condition: "change" } : { every })}
          />
        )}
      </Field>
      <Field label="Fires when it">
        {(wired) => (
          <Select
            wired={wired} name="condition" value={draft.condition} from={conditions.filter(([c]) => c !== "anomaly" || draft.every === "day")}
            onChange={(condition) => onChange({ condition })}
          />
        )}
      </Field>
      {(draft.condition === "above" || draft.condition === "below") && (
        <Field label={draft.metric === "conversion" ? "Value, in percent" : "Value"} error={errorOf("/threshold")}>{(wired) => <input {...wired} {...text("threshold")} inputMode="decimal" required />}</Field>
      )}
      {draft.condition === "change" && <Field label="Percent" error={errorOf("/percent")}>{(wired) => <input {...wired} {...text("percent")} inputMode="decimal" required />}</Field>}
      {draft.condition === "anomaly" && (
        <Field label="Sensitivity" help="The modified z-score from which a value is unusual, 2 to 20. Greater values fire more rarely." error={errorOf("/sensitivity")}>
          {(wired) => <input {...wired} {...text("sensitivity")} inputMode="decimal" required />}
        </Field>
      )}
      {(draft.condition === "change" || draft.condition === "anomaly") && <Compared draft={draft} onChange={onChange} />}
      <Field label="Looks from" help="On the day after, by the clocks of the project. A later hour sees more of what is received late.">
        {(wired) => <Select wired={wired} name="hour" value={String(draft.hour)} from={hours.map((hour) => [String(hour), clock(hour)])} onChange={(hour) => onChange({ hour: Number(hour) })} />}
      </Field>
    </>
  );
}

function Compared({ draft, onChange }: Pick<Props, "draft" | "onChange">) {
  const all = baselines(draft.condition, draft.every);
  return (
    <>
      <Field label="Against">
        {(wired) => <Select wired={wired} name="baseline" value={all.some(([b]) => b === draft.baseline) ? draft.baseline : all[0]![0]} from={all} onChange={(baseline: Schemas["AlertBaseline"]) => onChange({ baseline })} />}
      </Field>
      <Field label="Direction">{(wired) => <Select wired={wired} name="direction" value={draft.direction} from={directions} onChange={(direction) => onChange({ direction })} />}</Field>
    </>
  );
}

interface SelectProps<V extends string> { wired: Wired; name: string; value: V; from: [value: V, name: string][]; onChange: (value: V) => void }

function Select<V extends string>({ wired, name, value, from, onChange }: SelectProps<V>) {
  return (
    <select {...wired} name={name} value={value} onChange={(event) => onChange(event.currentTarget.value as V)}>
      {from.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
    </select>
  );
}
