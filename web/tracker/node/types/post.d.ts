/**
 * post sends a body and returns how long to wait before it is sent again, in milliseconds, and how long the server asked to wait
 * (Retry-After). A wait of 0: it is settled, because it is stored, or because sending it again is no use. told gets the text and the status
 * of the answer of what is settled, and returns whether a part of it is to be sent again.
 * @param failures how many attempts failed before this one
 */
export declare function post(url: string, request: RequestInit, failures: number, told: (text: string, status: number) => boolean | void): Promise<[wait: number, asked: number]>;
