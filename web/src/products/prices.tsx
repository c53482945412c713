// The prices of a product: the main one, and those in other currencies.
import { Field } from "../parts/field";
import type { PartProps } from "./form";

export function Prices({ draft, errorOf, onChange }: PartProps) {
  const set = (at: number, part: { currency?: string; price?: string }) =>
    onChange({ prices: draft.prices.map((row, i) => (i === at ? { ...row, ...part } : row)) });
  return (
    <fieldset>
      <legend>Prices</legend>
      <div class="price">
        <Field label="Price" error={errorOf("/price_minor")}>
          {(wired) => <input {...wired} name="price" inputMode="decimal" required value={draft.price} onInput={(event) => onChange({ price: event.currentTarget.value })} />}
        </Field>
        <Field label="Currency" error={errorOf("/currency")}>
          {(wired) => <Code {...wired} name="currency" value={draft.currency} onInput={(currency) => onChange({ currency })} />}
        </Field>
      </div>
      {draft.prices.map((row, i) => (
        <div class="price" key={i}>
          <input aria-label={`Price ${i + 2}`} inputMode="decimal" required value={row.price} onInput={(event) => set(i, { price: event.currentTarget.value })} />
          <Code aria-label={`Currency ${i + 2}`} value={row.currency} onInput={(currency) => set(i, { currency })} />
          <button type="button" aria-label={`Remove the price in ${row.currency || "no currency"}`} onClick={() => onChange({ prices: draft.prices.filter((_, at) => at !== i) })}>✕</button>
        </div>
      ))}
      {errorOf("/prices") && <p class="down">{errorOf("/prices")}</p>}
      <button type="button" disabled={draft.prices.length >= 50} onClick={() => onChange({ prices: [...draft.prices, { currency: "", price: "" }] })}>Add a currency</button>
    </fieldset>
  );
}

interface CodeProps { value: string; onInput: (code: string) => void; name?: string; id?: string; "aria-label"?: string; "aria-describedby"?: string; "aria-invalid"?: boolean }

function Code({ onInput, ...rest }: CodeProps) {
  return (
    <input
      {...rest} required size={4} maxLength={3} pattern="[A-Za-z]{3}" title="Three letters, such as EUR" placeholder="EUR" autocapitalize="characters"
      onInput={(event) => onInput(event.currentTarget.value.toUpperCase())}
    />
  );
}
