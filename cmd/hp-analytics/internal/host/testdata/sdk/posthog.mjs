// Sends with PostHog's library for Node, which compresses.
import { PostHog } from "posthog-node";

const client = new PostHog(process.env.API_KEY, {
  host: `${process.env.API_URL}/posthog`, flushAt: 5, maxBatchSize: 5, flushInterval: 0, fetchRetryCount: 10, fetchRetryDelay: 50,
});
client.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
const distinctId = "posthog-17";
client.capture({ distinctId: "posthog-visitor", event: "view", properties: { sku: "TEA 1/2", $process_person_profile: false } });
client.identify({ distinctId, properties: { $anon_distinct_id: "posthog-visitor", plan: "pro" } });
client.alias({ distinctId, alias: "posthog-phone" });
for (let i = 0; i < 20; i++) client.capture({ distinctId, event: "Song Played", properties: { i } });
client.capture({ distinctId, event: "$pageview", properties: { $current_url: "https://shop.example/tea" } });
client.groupIdentify({ groupType: "company", groupKey: "acme", properties: { seats: 3 }, distinctId });
await client.flush();
const flags = await client.getAllFlags(distinctId);
if (Object.keys(flags).length > 0) throw new Error(`There are flags: ${JSON.stringify(flags)}`);
await client.shutdown(60_000);
