// The numbers of the tracker. They are in a file of their own, because the bundler then writes them where they are used.

/** How many events wait at most: older ones make room. */
export const mostWaiting = 50;

/** How long an event waits at most, in milliseconds: 7 days. */
export const longestWaiting = 604_800_000;

/** Milliseconds in which events gather for one request. */
export const gathering = 100;

/** What the pages of a browser may have in flight when they are left is 64 KiB together (Fetch standard). This leaves room, in bytes. */
export const mostInFlight = 60_000;

/** The longest wait before the next attempt that the server did not ask for, in milliseconds. */
export const longestRetry = 300_000;

/** After this time without an answer a request has failed, in milliseconds. */
export const patience = 30_000;
