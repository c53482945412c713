// What a page needs to send events with a public key.
import { useState } from "preact/hooks";
import { Copy } from "../parts/copy";
import { root } from "../route";

const libraries = ["One line", "Own code", "PostHog", "Segment", "RudderStack"] as const;
type Library = (typeof libraries)[number];

export function Paste({ credential }: { credential: string }) {
  const [library, setLibrary] = useState<Library>("One line");
  return (
    <>
      <h3>Put this into your pages</h3>
      <div class="pills" role="group" aria-label="Library">
        {libraries.map((name) => <button key={name} type="button" aria-pressed={name === library} onClick={() => setLibrary(name)}>{name}</button>)}
      </div>
      <Copy label={`What a page sends with: ${library}`} text={snippet(library, location.origin + root, credential)} />
      {library === "One line" && <p class="quiet">It belongs into the head of each page. It counts page views, and clicks on elements with data-hp-event.</p>}
      {library === "Own code" && <p class="quiet">It keeps a random id of the visitor in the browser, so that visits of a person count as one user.</p>}
    </>
  );
}

// snippet sends a page view with a library, or sets it up to do so.
export function snippet(library: Library, server: string, key: string): string {
  switch (library) {
    case "One line":
      return `<script defer src="${server}/hp.js" data-key="${key}"></script>`;
    case "Own code":
      return `<script type="module">
  const visitor = (localStorage.visitor ??= crypto.randomUUID());
  const page = {
    id: crypto.randomUUID(), type: "page", anonymous_id: visitor,
    ts: new Date().toISOString(), properties: { url: location.href },
  };
  navigator.sendBeacon("${server}/events/beacon?key=${key}", JSON.stringify({ events: [page] }));
</script>`;
    case "PostHog":
      return `posthog.init("${key}", {
  api_host: "${server}/posthog", advanced_disable_flags: true,
});`;
    case "Segment":
      return `AnalyticsBrowser.load({
  writeKey: "${key}", cdnURL: "${server}/segment",
});`;
    case "RudderStack":
      return `analytics.load("${key}", "${server}/segment", {
  configUrl: "${server}/segment",
});`;
  }
}
