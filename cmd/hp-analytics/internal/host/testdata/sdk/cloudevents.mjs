// Sends with the CloudEvents library for Node, in each mode, until an answer says that it is done.
import { CloudEvent, HTTP } from "cloudevents";

const source = "https://shop.example/checkout";
const all = [new CloudEvent({ source, type: "view", subject: "TEA 1/2", userid: "cloud-17" })];
for (let i = 0; i < 20; i++) all.push(new CloudEvent({ source, type: "Song Played", userid: "cloud-17", data: { i, title: "Größe" } }));

async function deliver({ headers, body }) {
  for (;;) {
    const answer = await fetch(`${process.env.API_URL}/cloudevents`, {
      method: "POST",
      headers: { ...headers, authorization: `Bearer ${process.env.API_KEY}` },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    if (answer.status < 500) {
      if (answer.status !== 202 || answer.headers.get("events-rejected") !== "0") throw new Error(`${answer.status} ${await answer.text()}`);
      return;
    }
  }
}
for (const event of all.slice(0, 6)) await deliver(event.data ? HTTP.binary(event) : HTTP.structured(event));
for (const event of all.slice(6, 11)) await deliver(HTTP.structured(event));
await deliver({ headers: { "content-type": "application/cloudevents-batch+json" }, body: all.slice(11) });
