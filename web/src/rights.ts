// What the account may do in the chosen project. The server decides; the page only leaves out what would be refused.
import { computed } from "@preact/signals";
import { project } from "./route";
import { me } from "./session";

// role is the role of the account in the project; an admin of the installation acts as an owner everywhere.
const role = computed(() => {
  const account = me.value;
  if (!account) return "none";
  if (account.role === "admin") return "owner";
  const chosen = project.value === "" ? account.projects[0] : account.projects.find((p) => p.slug === project.value);
  return chosen?.role ?? "none";
});

// isMember is whether the account takes part in the project.
export const isMember = computed(() => role.value !== "none");

// isAdmin is whether the account manages the installation: its projects, and what the page System shows.
export const isAdmin = computed(() => me.value?.role === "admin");

// slug names the chosen project in paths of the API.
export const slug = computed(() => project.value || me.value?.projects[0]?.slug || "default");

// isOwner is whether the account may change products, erase users, and manage the project.
export const isOwner = computed(() => role.value === "owner");

// mayShare says whether the account may give others a link to a report.
export const mayShare = computed(() => role.value === "owner" || role.value === "analyst");

// mayReadUsers is whether the account may read numbers and events of users.
export const mayReadUsers = computed(() => role.value === "owner" || role.value === "analyst");

// mayAnnotate says whether the account may write what other members read beside the numbers.
export const mayAnnotate = computed(() => role.value === "owner" || role.value === "analyst");
