// What is sent, as POST /events takes it (EventInput of openapi.yaml).

/** Any JSON, by name. */
export type Properties = Record<string, unknown>;

/** Something that somebody did. It has an id and a time from the moment of its capture, so sending it again never counts twice. */
export interface Event {
  id: string;
  type: string;
  /** When it happened, by the clock of the device: ISO 8601. */
  ts: string;
  user_id?: string;
  anonymous_id?: string;
  sku?: string;
  properties?: Properties;
}

/** newId returns a UUIDv7 (RFC 9562): ids sort by the time at which they were made. */
export function newId(): string {
  const time = "0" + Date.now().toString(16); // 12 digits until the year 2527
  const digit = (): string => (crypto.getRandomValues(new Uint8Array(1))[0]! & 15).toString(16);
  return (time + "-7rrr-arrr-rrrrrrrrrrrr").replace(/.{8}/, "$&-").replace(/r/g, digit);
}
