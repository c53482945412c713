// Sends with Segment's library for Node.
import { Analytics } from "@segment/analytics-node";
import { send } from "./backend.mjs";

const client = new Analytics({ writeKey: process.env.API_KEY, host: process.env.API_URL, path: "/segment/v1/batch", flushAt: 5, maxRetries: 10 });
client.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
send(client, "segment");
await client.flush({ close: true, timeout: 60_000 });
