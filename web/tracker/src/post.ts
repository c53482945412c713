// One request, and what becomes of what it holds. The packages for browsers and for Node share this.

import { longestRetry, patience } from "./limits.js";

/**
 * post sends a body and returns how long to wait before it is sent again, in milliseconds, and how long the server asked to wait
 * (Retry-After). A wait of 0: it is settled, because it is stored, or because sending it again is no use. told gets the text and the status
 * of the answer of what is settled, and returns whether a part of it is to be sent again.
 * @param failures how many attempts failed before this one
 */
export async function post(
  url: string, request: RequestInit, failures: number, told: (text: string, status: number) => boolean | void,
): Promise<[wait: number, asked: number]> {
  let asked = 0;
  try {
    const answer = await fetch(url, { method: "POST", signal: AbortSignal.timeout?.(patience), ...request });
    const status = answer.status;
    if (status < 500 && status !== 429 && !told(await answer.text(), status)) return [0, 0];
    asked = +answer.headers.get("Retry-After")! * 1000 || 0;
  } catch {} // the network failed, which passes
  return [Math.max(asked, Math.min(1000 * 2 ** failures, longestRetry) * (0.5 + Math.random() / 2)), asked];
}
