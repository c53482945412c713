// The session of the browser. The access token is kept in memory only; the refresh token is in a cookie that scripts cannot read.
import { signal } from "@preact/signals";
import type { components } from "./api.gen";
import { go, link, page, project, root, same } from "./route";

export type Me = components["schemas"]["Me"];
type Tokens = components["schemas"]["TokenPair"];

// me is the account that is logged in, null if nobody is, and undefined until that is known.
export const me = signal<Me | null | undefined>(undefined);

// ended says why the last session ended without being asked; empty if it did not.
export const ended = signal("");

// mark is set while there may be a session. Scripts cannot see the cookie, and a page without one need not ask the server.
const mark = "hpa-session";

let token = "";
let linkKey = ""; // reads a shared report in place of a session
let expires = 0; // when the token is renewed, in milliseconds

export type FieldError = components["schemas"]["FieldError"];

// Problem is an answer that says why a request failed.
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly errors: FieldError[] = [], // what is wrong with fields of the body and of the query
    readonly retryAfter = 0, // seconds after which a repetition can succeed; 0 when the server does not say
  ) {
    super(detail);
  }
}

export async function problemOf(answer: Response): Promise<Problem> {
  const body = (await answer.json().catch(() => ({}))) as Partial<components["schemas"]["Problem"]>;
  const detail = body.errors?.[0]?.detail ?? body.detail ?? `The server answered ${answer.status}.`;
  return new Problem(answer.status, body.code ?? "unknown", detail, body.errors, Number(answer.headers.get("Retry-After")) || 0);
}

// post sends a request that makes, changes or ends a session. A credential is that of function authorization.
export async function post(path: string, body: object, credential = ""): Promise<Response> {
  const headers: Record<string, string> = { "Content-Type": "application/json", Session: "cookie" };
  if (credential !== "") headers.Authorization = credential;
  const answer = await fetch(root + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

// keep uses new tokens from now on.
export function keep(tokens: Tokens): void {
  token = tokens.access_token;
  expires = Date.now() + Math.max(tokens.expires_in - 30, 1) * 1000; // the clocks of both sides and the way of a request differ
}

// readWith makes all requests of this page use the key of a share link.
export function readWith(key: string): void {
  linkKey = key;
}

// authorization returns the header of a request. It renews the token when that ends soon, or when it is refused.
export async function authorization(refused = ""): Promise<string> {
  if (linkKey !== "") return "Bearer " + linkKey;
  if (refused !== "" && refused === "Bearer " + token) expires = 0;
  if (Date.now() >= expires) await renew();
  return "Bearer " + token;
}

const reasons: Record<string, string> = {
  session_idle: "Your session has ended because it was not used for a long time. Sign in to continue here.",
  session_too_old: "Your session has ended because it had reached its greatest age. Sign in to continue here.",
  refresh_token_reused: "Your session has ended because somebody else used it, too. Sign in, and change your password if that was not you.",
};
// otherReason is for a cookie that the browser has removed because of its age, and for a session that was ended elsewhere.
const otherReason = "Your session has ended: it was not used for a long time, or it was ended on another device. Sign in to continue here.";

function endedFor(code: string): void {
  forget();
  ended.value = reasons[code] ?? otherReason;
}

let renewing: Promise<void> | undefined;

// renew gets new tokens. Tabs share the cookie, so they take turns: each gets a token of its own.
function renew(): Promise<void> {
  const work = async (): Promise<void> => keep((await (await post("/auth/refresh", {})).json()) as Tokens);
  renewing ??= inTurn(work)
    .catch((error: unknown) => {
      if (error instanceof Problem && error.status === 401) {
        endedFor(error.code);
        tabs?.postMessage(error.code); // the server tells the reason only once, because it takes the cookie away
      }
      throw error;
    })
    .finally(() => {
      renewing = undefined;
    });
  return renewing;
}

// inTurn runs work while no other tab does. Browsers have locks on pages of HTTPS and of localhost only; elsewhere the server answers
// two tabs at once with the same successor.
async function inTurn(work: () => Promise<void>): Promise<void> {
  if ("locks" in navigator) await navigator.locks.request(mark, work);
  else await work();
}

// resume continues the session of the cookie, if there is one.
export async function resume(): Promise<void> {
  if (localStorage.getItem(mark) === null) {
    forget();
    return;
  }
  try {
    await renew();
    await readMe();
  } catch (error) {
    if (error instanceof Problem && error.status < 500 && error.status !== 429) {
      forget();
      return;
    }
    throw error;
  }
}

export async function signIn(email: string, password: string, newPassword?: string): Promise<void> {
  const body = newPassword ? { email, password, new_password: newPassword } : { email, password };
  keep((await (await post("/auth/login", body)).json()) as Tokens);
  await readMe();
  tabs?.postMessage(signedIn);
}

// readMe reads whose session it is, and the projects of the account.
export async function readMe(): Promise<void> {
  localStorage.setItem(mark, "there");
  const answer = await fetch(root + "/auth/me", { headers: { Authorization: await authorization() } });
  if (!answer.ok) throw await problemOf(answer);
  const account = (await answer.json()) as Me;
  settleProject(account);
  me.value = account;
  ended.value = "";
}

// lastProject is the project that was looked at last in this browser.
const lastProject = "hpa-project";

// settleProject puts a project into the address of a page that names none, where the account has several.
function settleProject(account: Me): void {
  if (account.projects.length < 2 || project.value !== "") return;
  const last = localStorage.getItem(lastProject);
  const chosen = account.projects.find((p) => p.slug === last) ?? account.projects[0]!;
  go(same({ project: chosen.slug }), true);
}

// chooseProject shows the list or overview that one looks at, in another project. What it names is not in the other one.
export function chooseProject(slug: string): void {
  localStorage.setItem(lastProject, slug);
  go(link(page.value.slice(0, 1), { project: slug }));
}

// signOut ends the session on the server, then here and in other tabs. It fails when the server cannot be told, because the session
// would live on.
export async function signOut(): Promise<void> {
  await post("/auth/logout", {});
  forget();
  tabs?.postMessage(signedOut);
}

// signOutEverywhere ends all sessions of the account, on other devices, too.
export async function signOutEverywhere(): Promise<void> {
  const answer = await fetch(root + "/auth/sessions", { method: "DELETE", headers: { Authorization: await authorization() } });
  if (!answer.ok) throw await problemOf(answer);
  await signOut(); // which takes the cookie away
}

// forget ends the session here.
export function forget(): void {
  token = "";
  expires = 0;
  localStorage.removeItem(mark);
  ended.value = "";
  me.value = null;
}

const signedIn = "signed in", signedOut = "signed out";
const tabs = "BroadcastChannel" in window ? new BroadcastChannel(mark) : undefined;
tabs?.addEventListener("message", (event: MessageEvent<string>) => {
  if (event.data === signedIn) {
    if (me.value === null) resume().catch(() => undefined); // then the person signs in here, or loads the page again
  } else if (event.data === signedOut) forget();
  else endedFor(event.data);
});
