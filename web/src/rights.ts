// What the account may do in the chosen project. The server decides; the page only leaves out what would be refused.
import { computed, signal } from "@preact/signals";
import type { components } from "./api.gen";
import { project } from "./route";
import { me } from "./session";

// membership is that of the account in the project; undefined for a guest, and for an admin who is no member.
const membership = computed(() => {
  const projects = me.value?.projects ?? [];
  return project.value === "" ? projects[0] : projects.find((p) => p.slug === project.value);
});

// role is the role of the account in the project; an admin of the installation acts as an owner everywhere.
const role = computed(() => (me.value?.role === "admin" ? "owner" : (membership.value?.role ?? "none")));

// isMember is whether the account takes part in the project.
export const isMember = computed(() => role.value !== "none");

// isAdmin is whether the account manages the installation: its projects, and what the page System shows.
export const isAdmin = computed(() => me.value?.role === "admin");

// slug names the chosen project in paths of the API.
export const slug = computed(() => project.value || me.value?.projects[0]?.slug || "default");

// isOwner is whether the account may erase users, and manage the project.
export const isOwner = computed(() => role.value === "owner");

// visited is the project that an admin looks at without being a member of it, once it was read.
export const visited = signal<components["schemas"]["ProjectDetails"] | undefined>(undefined);

// isArchived is whether the project takes no changes.
export const isArchived = computed(() => membership.value?.archived ?? (visited.value?.slug === slug.value && visited.value.archived_at !== null));

// mayManage is whether the account may change products and make keys and invitations.
export const mayManage = computed(() => isOwner.value && !isArchived.value);

// mayReadUsers is whether the account may read numbers and events of users.
export const mayReadUsers = computed(() => role.value === "owner" || role.value === "analyst");

// mayShare says whether the account may give others a link to a report, or take it back.
export const mayShare = mayReadUsers;

// mayAnnotate says whether the account may write what other members read beside the numbers.
export const mayAnnotate = computed(() => mayReadUsers.value && !isArchived.value);

// mayKeepViews is whether the account may save views.
export const mayKeepViews = computed(() => isMember.value && !isArchived.value);
