// What a shop's backend sends with a library whose calls are those of Segment.
export function send(client, user) {
  const userId = `${user}-17`, anonymousId = `${user}-visitor`;
  client.track({ anonymousId, event: "Product Viewed", properties: { sku: "TEA 1/2", price: 4.5 }, context: { page: { url: "https://shop.example/tea" } } });
  client.identify({ anonymousId, userId, traits: { plan: "pro" } });
  for (let i = 0; i < 20; i++) client.track({ userId, event: "Song Played", properties: { i } });
  client.page({ userId, name: "Home" });
  client.group({ userId, groupId: "acme" });
  client.track({
    userId, event: "Order Completed",
    properties: { order_id: `${user}-1`, currency: "EUR", total: 9, products: [{ sku: "TEA 1/2", price: 4.5, quantity: 2 }] },
  });
}
