// Requests to the HTTP API, with the types of its contract.
import type { components, paths } from "./api.gen";
import { authorization, problemOf } from "./session";
import { project, root } from "./route";

export type Schemas = components["schemas"];

// Read are the paths that a page can read.
type Read = { [P in keyof paths]: paths[P] extends { get: { responses: { 200: { content: { "application/json": unknown } } } } } ? P : never }[keyof paths];
export type Answer<P extends Read> = paths[P] extends { get: { responses: { 200: { content: { "application/json": infer A } } } } } ? A : never;
type Query<P extends Read> = paths[P] extends { get: { parameters: { query?: infer Q } } } ? Q : never;

// address returns the path and query of a request, with the places of the path filled.
export function address<P extends Read>(path: P, query: Query<P>, places: Record<string, string> = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(places[name] ?? ""));
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== "") asked.set(name, String(value));
  }
  return asked.size > 0 ? `${filled}?${asked}` : filled;
}

// get reads an address that function address has made.
export async function get<A>(url: string, signal?: AbortSignal): Promise<A> {
  let credential = await authorization();
  let answer = await send(url, credential, signal);
  if (answer.status === 401) {
    credential = await authorization(credential);
    answer = await send(url, credential, signal);
  }
  if (!answer.ok) throw await problemOf(answer);
  return (await answer.json()) as A;
}

function send(url: string, credential: string, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { Authorization: credential, Accept: "application/json" };
  if (project.value !== "") headers.Project = project.value;
  return fetch(root + url, { headers, signal });
}

// curl returns the command that asks the same. The address of the page may come from anybody, so its texts are quoted for the shell.
export function curl(url: string): string {
  const named = project.value === "" ? "" : ` -H ${quoted("Project: " + project.value)}`;
  return `curl -H "Authorization: Bearer $TOKEN"${named} ${quoted(location.origin + root + url)}`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
