// Sends webhooks as Shopify and Stripe do: signed, at least once, out of order, and again until they are answered with success.
import { createHmac, randomUUID } from "node:crypto";
import "@shopify/shopify-api/adapters/node";
import { ApiVersion, LogSeverity, shopifyApi } from "@shopify/shopify-api";
import Stripe from "stripe";

const { API_URL: api, SHOPIFY_KEY: shopifyKey, STRIPE_KEY: stripeKey, SHOPIFY_SECRET: shopifySecret, STRIPE_SECRET: stripeSecret } = process.env;
const shopify = shopifyApi({
  apiKey: "key", apiSecretKey: shopifySecret, hostName: "shop.example", apiVersion: ApiVersion.Unstable, isEmbeddedApp: false, logger: { level: LogSeverity.Error },
});
const { webhooks } = new Stripe("sk_test_unused");

async function signedByShopify(topic, body) {
  const headers = {
    "X-Shopify-Topic": topic, "X-Shopify-Hmac-Sha256": createHmac("sha256", shopifySecret).update(body).digest("base64"), "X-Shopify-API-Version": "2025-07",
    "X-Shopify-Shop-Domain": "shop.myshopify.com", "X-Shopify-Webhook-Id": randomUUID(), "X-Shopify-Event-Id": randomUUID(), "X-Shopify-Triggered-At": new Date().toISOString(),
  };
  const valid = await shopify.webhooks.validate({ rawBody: body, rawRequest: { method: "POST", url: "/", headers } });
  if (!valid.valid) throw new Error(`Shopify's library refuses the webhook: ${valid.reason}`);
  return headers;
}

async function deliver(path, sign, body) {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    const headers = { "Content-Type": "application/json", ...(await sign(body)) };
    const answer = await fetch(api + path, { method: "POST", headers, body }).catch((error) => ({ status: error.message }));
    if (answer.status >= 200 && answer.status < 300) return;
    if (answer.status === 401 || answer.status === 403) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`${path} was never answered with success: ${body}`);
}

const now = new Date().toISOString();
const seconds = Math.floor(Date.now() / 1000);
const toShopify = (topic, payload) => deliver(`/hooks/shopify/${shopifyKey}`, (body) => signedByShopify(topic, body), JSON.stringify(payload));
const toStripe = (type, object) => deliver(`/hooks/stripe/${stripeKey}`, (body) => ({
  "Stripe-Signature": webhooks.generateTestHeaderString({ payload: body, secret: stripeSecret }),
}), JSON.stringify({ id: `evt_${randomUUID()}`, object: "event", api_version: "2025-09-30.clover", created: seconds, livemode: false, type, data: { object } }));

const sends = [];
for (let i = 1; i <= 10; i++) {
  const set = (amount) => ({ shop_money: { amount, currency_code: "EUR" }, presentment_money: { amount: "1.00", currency_code: "USD" } });
  const item = { id: 10 + i, sku: "TEA 1/2", variant_id: 1, product_id: 2, quantity: 2, price: "10.00", price_set: set("10.00"), discount_allocations: [{ amount: "1.00", amount_set: set("1.00") }] };
  const order = { id: 5000 + i, name: `#${i}`, test: false, currency: "EUR", created_at: now, processed_at: now, cancelled_at: null, source_name: "web", customer: { id: 70 + i }, line_items: [item] };
  sends.push(() => toShopify("orders/create", { ...order, financial_status: "pending" }), () => toShopify("orders/paid", { ...order, financial_status: "paid" }));
  if (i <= 4) {
    const refund = { id: 9000 + i, order_id: order.id, created_at: now, refund_line_items: [{ quantity: 1, subtotal: 9.5, subtotal_set: set("9.50"), line_item: item }], order_adjustments: [], transactions: [{ currency: "EUR", amount: "9.50" }] };
    sends.push(() => toShopify("refunds/create", refund), () => toShopify("refunds/create", refund));
  }
  const session = { id: `cs_${i}`, object: "checkout.session", mode: "payment", payment_status: "paid", payment_intent: `pi_${i}`, customer: `cus_${i}`, currency: "jpy", amount_subtotal: 700, amount_total: 700, total_details: { amount_discount: 0 }, metadata: { sku: "TEA 1/2" } };
  sends.push(() => toStripe("checkout.session.completed", session), () => toStripe("payment_intent.succeeded", { id: `pi_${i}`, object: "payment_intent", amount: 700, amount_received: 700, currency: "jpy", customer: `cus_${i}`, metadata: { sku: "TEA 1/2" } }));
  if (i <= 3) {
    const refund = { id: `re_${i}`, object: "refund", amount: 200, currency: "jpy", payment_intent: `pi_${i}`, created: seconds, status: "succeeded", metadata: {} };
    sends.push(() => toStripe("refund.created", refund), () => toStripe("refund.created", refund));
  }
}
sends.push(() => toShopify("products/update", { id: 1 }), () => toStripe("customer.created", { id: "cus_1" }));
// The last are first, so refunds come before their orders.
await Promise.all(sends.reverse().map((send) => send()));
