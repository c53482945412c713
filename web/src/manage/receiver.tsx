// Who gets digests and alerts: people by e-mail, or a webhook.
import { Field } from "../parts/field";
import { Secret } from "../parts/secret";
import type { Submit } from "../parts/submit";

// Receiver is what is typed of it.
export interface Receiver { webhook: boolean; recipients: string; url: string }

export const nobody: Receiver = { webhook: false, recipients: "", url: "" };

export const receiverOf = (of: { recipients: string[]; url: string }): Receiver => ({ webhook: of.url !== "", recipients: of.recipients.join("\n"), url: of.url });

// readReceiver returns what is sent of a receiver. The server checks it.
export function readReceiver(r: Receiver): { url: string } | { recipients: string[] } {
  return r.webhook ? { url: r.url.trim() } : { recipients: r.recipients.split(/[\s,;]+/).filter((one) => one !== "") };
}

interface Props { receiver: Receiver; fixed: boolean; errorOf: Submit["errorOf"]; onChange: (part: Partial<Receiver>) => void }

// ReceiverFields are the controls of a receiver. What it is, is fixed after it was made.
export function ReceiverFields({ receiver, fixed, errorOf, onChange }: Props) {
  return (
    <>
      {!fixed && (
        <fieldset>
          <legend>By</legend>
          <label class="check"><input type="radio" name="channel" value="mail" checked={!receiver.webhook} onChange={() => onChange({ webhook: false })} /> E-mail</label>
          <label class="check"><input type="radio" name="channel" value="webhook" checked={receiver.webhook} onChange={() => onChange({ webhook: true })} /> Webhook</label>
        </fieldset>
      )}
      {receiver.webhook ? (
        <Field label="Address of the webhook" help="It gets a signed POST with JSON." error={errorOf("/url")}>
          {(wired) => <input {...wired} name="url" type="url" required maxLength={2000} value={receiver.url} onInput={(event) => onChange({ url: event.currentTarget.value })} />}
        </Field>
      ) : (
        <Field label="Recipients" help="One e-mail address a line, at most 20. All of them see each other." error={errorOf("/recipients")}>
          {(wired) => <textarea {...wired} name="recipients" required rows={3} value={receiver.recipients} onInput={(event) => onChange({ recipients: event.currentTarget.value })} />}
        </Field>
      )}
    </>
  );
}

// MadeWebhook shows the secret of a new webhook.
export function MadeWebhook({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <div class="form">
      <p>Copy the secret now. It is not shown again. The receiver checks with it that requests come from here, as Standard Webhooks says.</p>
      <Secret label="Secret" name="secret" text={secret} action="Copy the secret" />
      <div class="pills"><button type="button" onClick={onClose}>Done</button></div>
    </div>
  );
}
