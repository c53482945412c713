// Why something is refused, in words, and what to do about it. Reasons without an entry say it themselves.

const reasons: Record<string, [title: string, advice: string]> = {
  unknown_product: ["Unknown product", "Create the product, import the catalog, or make the key with the setting that creates a product for an unknown SKU."],
  product_required: ["No product", "This event needs a product: send sku or product_id with it."],
  user_id_required: ["Nobody did it", "Send user_id, or anonymous_id before somebody signs in."],
  required: ["A field is missing", "Send the field that is named below."],
  wrong_type: ["A field has the wrong type", "Compare the field that is named below with the API reference: a number is sent without quotes, for example."],
  unknown_field: ["A field that there is not", "Put what is your own into properties, and check the spelling of the others."],
  ts_too_old: ["Too long ago", "Events may be as old as the project allows. Older ones are sent with an import of history."],
  malformed_json: ["No JSON", "The body ends early or is no JSON. Check how it is written, and that nothing cuts it."],
  body_too_large: ["The body is too large", "Send fewer items in a request."],
  event_too_large: ["The event is too large", "Send fewer or shorter properties."],
  conflict: ["The id is taken", "Another item with this id is stored. Send each item with an id of its own, and the same id only for a retry."],
  too_many_event_types: ["Too many names of events", "Names must not contain ids or other changing parts; put those into properties."],
  not_found: ["There is no such order", "Send the order before its refund, with the same id."],
};

export const title = (code: string): string => reasons[code]?.[0] ?? code.replaceAll("_", " ");

export const advice = (code: string): string | undefined => reasons[code]?.[1];
