// The part of the form of a key that only public keys have.
import type { Schemas } from "../api";
import { Field } from "../parts/field";
import type { Submit } from "../parts/submit";

// PublicDraft is what is typed of a public key.
export interface PublicDraft { origins: string; sku: string; perMinute: string; dropBots: boolean }

export const noPublicDraft: PublicDraft = { origins: "", sku: "", perMinute: "", dropBots: true };

// publicFields are the fields that say themselves what is wrong with them.
export const publicFields = ["/public/origins", "/public/default_sku", "/public/events_per_minute"];

// readPublic returns the settings of a draft. The server checks them, apart from what is no number.
export function readPublic(d: PublicDraft): Schemas["PublicKeySettings"] {
  const most = d.perMinute.trim(), sku = d.sku.trim();
  if (most !== "" && !/^\d{1,9}$/.test(most)) throw new Error("Events per minute must be a whole number, or empty.");
  return {
    origins: d.origins.split(/[\s,]+/).filter((origin) => origin !== ""), drop_bots: d.dropBots,
    ...(sku !== "" && { default_sku: sku }), ...(most !== "" && { events_per_minute: Number(most) }),
  };
}

interface Props { draft: PublicDraft; errorOf: Submit["errorOf"]; onChange: (part: Partial<PublicDraft>) => void }

export function PublicFields({ draft, errorOf, onChange }: Props) {
  return (
    <>
      <Field label="Pages that may send" help="One origin a line, such as https://shop.example. * is any page." error={errorOf("/public/origins")}>
        {(wired) => (
          <textarea
            {...wired} name="origins" required rows={3} autocapitalize="none" spellcheck={false} value={draft.origins}
            onInput={(event) => onChange({ origins: event.currentTarget.value })}
          />
        )}
      </Field>
      <label class="check">
        <input type="checkbox" name="bots" checked={draft.dropBots} onChange={(event) => onChange({ dropBots: event.currentTarget.checked })} />
        <span>Drop what crawlers and automated browsers send</span>
      </label>
      <Field label="Product of events that name none (optional)" help="Its SKU. Empty: such events have no product." error={errorOf("/public/default_sku")}>
        {(wired) => <input {...wired} name="sku" maxLength={200} value={draft.sku} onInput={(event) => onChange({ sku: event.currentTarget.value })} />}
      </Field>
      <Field
        label="Events per minute (optional)" help="How many all visitors together may send. Empty: as the installation sets it."
        error={errorOf("/public/events_per_minute")}
      >
        {(wired) => <input {...wired} name="most" inputMode="numeric" value={draft.perMinute} onInput={(event) => onChange({ perMinute: event.currentTarget.value })} />}
      </Field>
    </>
  );
}
