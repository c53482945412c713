// A text that is shown once, such as a new key: it can be selected and copied.
import { Field } from "./field";
import { say } from "./toast";

// copyText puts a text on the clipboard, and says whether that worked.
export function copyText(text: string): void {
  const refused = () => say("The browser does not allow copying. Select the text instead.");
  if (!navigator.clipboard) return refused(); // on a page that is neither HTTPS nor of localhost
  void navigator.clipboard.writeText(text).then(() => say("Copied."), refused);
}

interface Props {
  label: string;
  name: string; // of the control
  text: string;
  action: string; // the words on the button
}

export function Secret({ label, name, text, action }: Props) {
  return (
    <>
      <Field label={label}>{(wired) => <input {...wired} name={name} readOnly value={text} onFocus={(event) => event.currentTarget.select()} />}</Field>
      <div class="pills"><button type="button" class="primary" onClick={() => copyText(text)}>{action}</button></div>
    </>
  );
}
