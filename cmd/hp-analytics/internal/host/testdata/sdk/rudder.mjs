// Sends with RudderStack's library for Node, which compresses.
import Analytics from "@rudderstack/rudder-sdk-node";
import { send } from "./backend.mjs";

const client = new Analytics(process.env.API_KEY, { dataPlaneUrl: process.env.API_URL, path: "/segment/v1/batch", flushAt: 5, maxInternalQueueSize: 1000 });
send(client, "rudder");
await client.flush();
