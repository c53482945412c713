// Dialogs: they keep the focus, and Escape closes them.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Field } from "./field";
import { useSubmit } from "./submit";

interface Props {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: Props) {
  const box = useRef<HTMLDialogElement>(null), name = useId();
  useEffect(() => box.current?.showModal(), []);
  return (
    <dialog ref={box} aria-labelledby={name} onClose={onClose}>
      <div class="head">
        <h2 id={name}>{title}</h2>
        <button type="button" aria-label="Close" onClick={() => box.current?.close()}>✕</button>
      </div>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  action: string; // the words on the button
  typed?: string; // must be typed before the action is possible
  onConfirm: () => Promise<void>; // what it throws is shown, and the dialog stays
  onClose: () => void;
  children: ComponentChildren; // what the action does, and whether it can be undone
}

export function Confirm({ title, action, typed, onConfirm, onClose, children }: ConfirmProps) {
  const [text, setText] = useState("");
  const submit = useSubmit();
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    void submit.run(async () => {
      await onConfirm();
      onClose();
    });
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form class="form" onSubmit={send}>
        <div>{children}</div>
        {typed !== undefined && (
          <Field label={`Type ${typed} to confirm`}>
            {(wired) => <input {...wired} name="typed" autocomplete="off" value={text} onInput={(event) => setText(event.currentTarget.value)} />}
          </Field>
        )}
        {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
        <div class="pills">
          <button class="primary" disabled={submit.busy || (typed !== undefined && text !== typed)}>{action}</button>
          <button type="button" onClick={onClose}>Cancel</button>
        </div>
      </form>
    </Dialog>
  );
}
