// Requests to the HTTP API, with the types of its contract.
import type { components, paths } from "./api.gen";
import { authorization, problemOf } from "./session";
import { project, root } from "./route";

export type Schemas = components["schemas"];

// Read are the paths that a page can read.
type Read = { [P in keyof paths]: paths[P] extends { get: { responses: { 200: { content: { "application/json": unknown } } } } } ? P : never }[keyof paths];
export type Answer<P extends Read> = paths[P] extends { get: { responses: { 200: { content: { "application/json": infer A } } } } } ? A : never;
type Query<O> = O extends { parameters: { query?: infer Q } } ? Q : never;

// Write are the paths that a page can change with a method.
type Method = "post" | "put" | "patch" | "delete";
type Write<M extends Method> = { [P in keyof paths]: paths[P] extends Record<M, object> ? P : never }[keyof paths];
type Operation<P extends keyof paths, M extends keyof paths[P]> = NonNullable<paths[P][M]>;
type Content<O> = O extends { requestBody?: infer R } ? ([NonNullable<R>] extends [{ content: { "application/json": infer B } }] ? B : never) : never;
type Success<O> = O extends { responses: infer R } ? R[keyof R & (200 | 201 | 202)] : never;
export type Result<O> = [Success<O>] extends [{ content: { "application/json": infer A } }] ? ([Success<O>] extends [never] ? undefined : A) : undefined;

type Fields<O> = O extends { requestBody: object } ? { body: Content<O> } : O extends { requestBody?: never } ? object : { body?: Content<O> };
export type Change<O> = Fields<O> & {
  places?: Record<string, string>; // fill the path
  query?: Query<O>;
  ifMatch?: string; // the ETag that the change is based on; another one is answered with 412
  signal?: AbortSignal;
};

// address returns the path and query of a request, with the places of the path filled.
export function address<P extends Read>(path: P, query: Query<paths[P]["get"]>, places: Record<string, string> = {}): string {
  return filled(path, query, places);
}

// filled leaves out the parameters of the query that have no value.
export function filled(path: string, query: object | undefined, places: Record<string, string> = {}): string {
  const to = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(places[name] ?? ""));
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== "") asked.set(name, String(value));
  }
  return asked.size > 0 ? `${to}?${asked}` : to;
}

// get reads an address that function address has made.
export async function get<A>(url: string, signal?: AbortSignal): Promise<A> {
  return (await (await authorized(url, { signal, headers: { Accept: "application/json" } })).json()) as A;
}

// send changes something. It throws a Problem, which has the errors of the fields, when the server refuses that. A change that was not
// answered may have happened.
export async function send<M extends Method, P extends Write<M>>(method: M, path: P, change: Change<Operation<P, M>>): Promise<Result<Operation<P, M>>> {
  const { places, query, ifMatch, signal, body } = change as Change<unknown> & { query?: object; body?: unknown };
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (ifMatch !== undefined) headers["If-Match"] = ifMatch;
  const answer = await authorized(filled(path, query, places), { method: method.toUpperCase(), headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  return (text === "" ? undefined : JSON.parse(text)) as Result<Operation<P, M>>;
}

// authorized asks with the token of the session, and once more with a new token when that one is refused.
export async function authorized(url: string, request: Omit<RequestInit, "headers"> & { headers: Record<string, string> }): Promise<Response> {
  const ask = (credential: string) => {
    const headers: Record<string, string> = { ...request.headers, Authorization: credential };
    if (project.value !== "") headers.Project = project.value;
    return fetch(root + url, { ...request, headers });
  };
  const credential = await authorization();
  let answer = await ask(credential);
  if (answer.status === 401) answer = await ask(await authorization(credential));
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

// curl returns the command that asks the same. The address of the page may come from anybody, so its texts are quoted for the shell.
export function curl(url: string): string {
  const named = project.value === "" ? "" : ` -H ${quoted("Project: " + project.value)}`;
  return `curl -H "Authorization: Bearer $TOKEN"${named} ${quoted(location.origin + root + url)}`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
