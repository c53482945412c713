// The keys of the keyboard, and the dialog that lists them.
import { useEffect, useState } from "preact/hooks";
import { go, link } from "../route";
import { Dialog } from "./dialog";

const keys: [key: string, means: string][] = [
  ["d", "Today"], ["w", "7 days"], ["m", "30 days"], ["q", "90 days"], ["← →", "The period before and after"], ["n", "Annotate the chart"], ["p", "Pause and resume the page Live"], ["/", "Search products"], ["?", "This list"], ["Esc", "Close"],
];

export function Keys() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.metaKey || event.ctrlKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || target.closest("dialog")) return;
      if (event.key === "?") setOpen(true);
      if (event.key === "/") {
        event.preventDefault(); // else the field gets the key, too
        search();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>Keyboard</button>
      {open && (
        <Dialog title="Keyboard" onClose={() => setOpen(false)}>
          <dl class="keys">{keys.map(([key, means]) => <><dt><kbd>{key}</kbd></dt><dd>{means}</dd></>)}</dl>
        </Dialog>
      )}
    </>
  );
}

// search leads to the field that searches products.
function search(): void {
  const field = () => document.querySelector<HTMLElement>("main input[type=search]");
  if (!field()) go(link(["products"]));
  requestAnimationFrame(() => field()?.focus());
}
