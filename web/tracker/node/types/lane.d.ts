export interface LaneOptions<T> {
    key: string;
    batch: number;
    interval: number;
    waiting: number;
    onError: (why: string, lost: T[]) => void;
}
export declare class Lane<T> {
    private readonly url;
    private readonly member;
    private readonly o;
    private items;
    private sending;
    private stopped;
    private failures;
    private asked;
    private wake;
    constructor(url: string, member: string, o: LaneOptions<T>);
    add(item: T): void;
    flush(): Promise<void>;
    stop(): void;
    /** send sends all that waits, batch by batch, after a time in which the first gathers. */
    private send;
    /** settle tells what is lost, a batch that is refused or items of it, and returns the items that are to be sent again. */
    private settle;
    /** pause waits, until wake is called. The process need not go on for it. */
    private pause;
}
