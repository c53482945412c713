// A form that sends something: busy while it does, with the reason below when it fails.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Problem } from "../session";

interface Props {
  label: string; // of the button
  busy: string; // instead of label while it is being sent
  send: (text: (name: string) => string) => Promise<void>;
  children: ComponentChildren;
}

export function Form({ label, busy, send, children }: Props) {
  const [failure, setFailure] = useState("");
  const [sending, setSending] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    setSending(true);
    setFailure("");
    try {
      await send((name) => String(given.get(name) ?? ""));
    } catch (error) {
      setFailure(error instanceof Problem ? error.message : "The server does not answer. Try again.");
    } finally {
      setSending(false);
    }
  };
  return (
    <form class="form" onSubmit={(event) => void submit(event)}>
      {children}
      {failure !== "" && <p class="note" role="alert">{failure}</p>}
      <button class="primary" disabled={sending}>{sending ? busy : label}</button>
    </form>
  );
}

interface InputProps {
  name: string;
  label: string;
  type?: "email" | "password" | "text";
  autocomplete?: AutoFill;
  value?: string;
  hint?: string;
  minLength?: number;
  optional?: boolean;
}

export function Input({ label, hint, optional, ...input }: InputProps) {
  return (
    <label class="field">
      {label}
      <input {...(input as { type?: "text" })} required={!optional} />
      {hint && <span class="quiet">{hint}</span>}
    </label>
  );
}

// NewPassword has the length that the server demands.
export function NewPassword({ label }: { label: string }) {
  return <Input name="new_password" label={label} type="password" autocomplete="new-password" minLength={12} hint="At least 12 characters." />;
}

// Choice is one of many names.
export function Choice({ name, label, value, from }: { name: string; label: string; value: string; from: string[] }) {
  const all = from.includes(value) ? from : [value, ...from];
  return (
    <label class="field">
      {label}
      <select name={name}>{all.map((one) => <option key={one} value={one} selected={one === value}>{one}</option>)}</select>
    </label>
  );
}
