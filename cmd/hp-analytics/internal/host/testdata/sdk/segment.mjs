// Sends what a shop's backend sends, with Segment's library for Node.
import { Analytics } from "@segment/analytics-node";

const client = new Analytics({ writeKey: process.env.API_KEY, host: process.env.API_URL, path: "/segment/v1/batch", flushAt: 5, maxRetries: 10 });
client.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
const userId = "segment-17", anonymousId = "segment-visitor";
client.track({ anonymousId, event: "Product Viewed", properties: { sku: "TEA 1/2", price: 4.5 }, context: { page: { url: "https://shop.example/tea" } } });
client.identify({ anonymousId, userId, traits: { plan: "pro" } });
for (let i = 0; i < 20; i++) client.track({ userId, event: "Song Played", properties: { i } });
client.page({ userId, name: "Home" });
client.group({ userId, groupId: "acme" });
client.track({
  userId, event: "Order Completed",
  properties: { order_id: "segment-1", currency: "EUR", total: 9, products: [{ sku: "TEA 1/2", price: 4.5, quantity: 2 }] },
});
await client.flush({ close: true, timeout: 60_000 });
