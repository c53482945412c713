// A control of a form with its label, its help, and what is wrong with it.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

// Wired are the attributes that connect a control with its label and texts.
export interface Wired { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean }

interface Props {
  label: string;
  help?: ComponentChildren;
  error?: string;
  children: (wired: Wired) => ComponentChildren;
}

export function Field({ label, help, error, children }: Props) {
  const id = useId(), texts = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": texts || undefined, "aria-invalid": error ? true : undefined })}
      {help && <span id={`${id}-help`} class="quiet">{help}</span>}
      {error && <span id={`${id}-error`} class="down">{error}</span>}
    </div>
  );
}
