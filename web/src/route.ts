// The address of the page holds its whole state, so that it can be shared, and the way back works.
import { computed, signal } from "@preact/signals";

// root is the path under which a proxy publishes the API and this page; empty for the whole host.
export const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

const current = signal(new URL(location.href));
addEventListener("popstate", () => (current.value = new URL(location.href)));

// page is the path below /app, such as ["products", ID].
export const page = computed(() => {
  const [app, ...rest] = current.value.pathname.slice(root.length).split("/").filter((part) => part !== "");
  return app === "app" ? rest.map(decodeURIComponent) : [];
});

// hash is what is behind the # of the address.
export const hash = computed(() => decodeURIComponent(current.value.hash.slice(1)));

// query are the filters of the page.
export const query = computed(() => current.value.searchParams);

// project is the project to act in; empty for the only one of the account.
export const project = computed(() => query.value.get("project") ?? "");

// link returns an address of a page with the filters of this one, some of them changed. An empty value takes a filter away.
export function link(path: string[], changes: Record<string, string> = {}): string {
  const next = new URLSearchParams();
  for (const name of ["project", "from", "to", "period"]) {
    const value = query.value.get(name);
    if (value !== null) next.set(name, value);
  }
  return withQuery(path, next, changes);
}

// same returns the address of this page with some filters changed. Other days begin with the first page of each list.
export function same(changes: Record<string, string>): string {
  const first: Record<string, string> = "from" in changes ? { cursor: "", raw: "" } : {};
  return withQuery(page.value, new URLSearchParams(query.value), { ...first, ...changes });
}

function withQuery(path: string[], next: URLSearchParams, changes: Record<string, string>): string {
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") next.delete(name);
    else next.set(name, value);
  }
  const to = root + (path.length === 0 ? "/" : "/app/" + path.map(encodeURIComponent).join("/"));
  return next.size > 0 ? `${to}?${next}` : to;
}

// here is the page and its state as a saved view stores it: without the project, which the view belongs to, and without the view.
export const here = computed(() => {
  const rest = new URLSearchParams(query.value);
  for (const name of ["project", "view"]) rest.delete(name);
  const path = current.value.pathname.slice(root.length) || "/";
  return rest.size > 0 ? `${path}?${rest}` : path;
});

// toView returns the address of a saved view in this project.
export function toView(view: { id: string; address: string }): string {
  const [path, search] = view.address.split("?", 2) as [string, string?], next = new URLSearchParams(search);
  next.delete("project");
  if (project.value !== "") next.set("project", project.value);
  next.set("view", view.id);
  return `${root}${path}?${next}`;
}

// go shows an address. A change of a filter that is typed replaces the entry of the history.
export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  current.value = new URL(location.href);
}

// follow lets clicks on links of this app change the page without loading it.
export function follow(event: MouseEvent): void {
  const anchor = (event.target as Element).closest?.("a");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!anchor || !plain || event.defaultPrevented || anchor.target !== "" || anchor.hasAttribute("download")) return;
  if (anchor.getAttribute("href")?.startsWith("#")) return; // a place on this page
  const to = new URL(anchor.href);
  if (to.origin !== location.origin || (to.pathname !== root + "/" && !to.pathname.startsWith(root + "/app"))) return;
  event.preventDefault();
  go(to.pathname + to.search);
  scrollTo(0, 0);
}
