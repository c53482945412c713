/** How many events wait at most: older ones make room. */
export declare const mostWaiting = 50;
/** How long an event waits at most, in milliseconds: 7 days. */
export declare const longestWaiting = 604800000;
/** Milliseconds in which events gather for one request. */
export declare const gathering = 100;
/** What the pages of a browser may have in flight when they are left is 64 KiB together (Fetch standard). This leaves room, in bytes. */
export declare const mostInFlight = 60000;
/** The longest wait before the next attempt that the server did not ask for, in milliseconds. */
export declare const longestRetry = 300000;
/** After this time without an answer a request has failed, in milliseconds. */
export declare const patience = 30000;
