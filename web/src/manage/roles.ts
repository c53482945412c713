// What members of a project may do.
import type { Schemas } from "../api";

export type ProjectRole = Schemas["ProjectRole"];

// roles are those that a member can have, from the least to the most.
export const roles: [role: ProjectRole, means: string][] = [
  ["viewer", "Reads the numbers of the project and of products."],
  ["analyst", "Reads those of users and single events, too, and shares reports."],
  ["owner", "Does everything: products, keys, members and settings."],
];
