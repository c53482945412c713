// What people do with their own account.
import type { components } from "./api.gen";
import { authorization, keep, post, readMe, signIn } from "./session";

type Schemas = components["schemas"];

// changePassword ends all other sessions of the account, and returns how many there were.
export async function changePassword(password: string, next: string): Promise<number> {
  const answer = await post("/auth/password", { password, new_password: next }, await authorization());
  const changed = (await answer.json()) as Schemas["PasswordChanged"];
  keep(changed.tokens);
  return Math.max(changed.sessions_ended - 1, 0);
}

// register makes an account with an invitation, and signs in.
export async function register(email: string, password: string, name: string, invitation: string): Promise<void> {
  await post("/auth/register", { email, password, name, invitation });
  await signIn(email, password);
}

// join makes the account that is signed in a member of the project of an invitation.
export async function join(invitation: string): Promise<Schemas["ProjectMembership"]> {
  const answer = await post("/auth/invitations/accept", { invitation }, await authorization());
  const membership = (await answer.json()) as Schemas["ProjectMembership"];
  await readMe();
  return membership;
}
