// A text to be pasted elsewhere.
import { useState } from "preact/hooks";

export function Copy({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState("");
  const copy = () => void navigator.clipboard.writeText(text).then(() => setCopied(text));
  return (
    <>
      <pre tabIndex={0} aria-label={label}>{text}</pre>
      <button type="button" onClick={copy}>{copied === text ? "Copied" : "Copy"}</button>
    </>
  );
}
