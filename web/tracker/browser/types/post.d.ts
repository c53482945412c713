/**
 * post sends a body and returns how long to wait before the same body is sent again, in milliseconds. 0: it is settled, because it is
 * stored, or because sending it again is no use. told gets the text and the status of the answer of what is settled.
 * @param failures how many attempts failed before this one
 */
export declare function post(url: string, request: RequestInit, failures: number, told: (text: string, status: number) => void): Promise<number>;
