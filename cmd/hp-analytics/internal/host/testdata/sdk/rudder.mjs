// Sends what a shop's backend sends, with RudderStack's library for Node, which compresses.
import Analytics from "@rudderstack/rudder-sdk-node";

const client = new Analytics(process.env.API_KEY, { dataPlaneUrl: process.env.API_URL, path: "/segment/v1/batch", flushAt: 5, maxInternalQueueSize: 1000 });
const userId = "rudder-17", anonymousId = "rudder-visitor";
client.track({ anonymousId, event: "Product Viewed", properties: { sku: "TEA 1/2", price: 4.5 } });
client.identify({ anonymousId, userId, traits: { plan: "pro" } });
for (let i = 0; i < 20; i++) client.track({ userId, event: "Song Played", properties: { i } });
client.page({ userId, name: "Home" });
client.group({ userId, groupId: "acme" });
client.track({
  userId, event: "Order Completed",
  properties: { order_id: "rudder-1", currency: "EUR", total: 9, products: [{ sku: "TEA 1/2", price: 4.5, quantity: 2 }] },
});
await client.flush();
