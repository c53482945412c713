// Share links: opening one, and making one of what a page shows.
import { computed } from "@preact/signals";
import type { Schemas } from "./api";
import { daysOf, interval, period } from "./period";
import { root } from "./route";
import { problemOf, readWith } from "./session";

// The link is in the fragment of the address, which browsers do not send to servers.
export const secret = (): string => location.hash.slice(1);

// openLink gets the key of a link, with which everything is read from then on.
export async function openLink(password?: string): Promise<Schemas["SharedReport"]> {
  const answer = await fetch(root + "/auth/share-links/open", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ secret: secret(), password }),
  });
  if (!answer.ok) throw await problemOf(answer);
  const report = (await answer.json()) as Schemas["SharedReport"];
  readWith(report.key);
  return report;
}

// range is what the page shows now, as the range of a link: a preset moves on with the days.
export const range = computed((): Pick<Schemas["PinnedReport"], "from" | "to" | "days"> & { interval: Schemas["PinnedInterval"] } => {
  const p = period.value;
  return p.preset === "" ? { from: p.from, to: p.to, interval: interval.value as Schemas["PinnedInterval"] } : { days: daysOf(p), interval: interval.value as Schemas["PinnedInterval"] };
});
