import { type Properties } from "./event.js";
export interface Options {
    /** The public key (hpw_…). */
    key: string | undefined;
    /** The address of the platform, such as https://analytics.example.com. */
    api: string;
    /**
     * How visitors are told apart. "daily" (the default): by a random id that is replaced each day (UTC), so a person is a new visitor each day.
     * "first-party": by a random id that stays in localStorage. "none": nothing is stored on the device, and each page that is loaded is a
     * visitor of its own.
     */
    ids?: "none" | "daily" | "first-party" | undefined;
    /** "ignore" counts visitors who send Global Privacy Control or Do Not Track, too. By default they are not counted. */
    signals?: "ignore" | undefined;
    /** "keep" lets the property url have the query of the address. By default it has only the path: queries may hold what is private. */
    query?: "keep" | undefined;
}
export interface Tracker {
    /** track captures an event. It never throws. sku names the product that it is about. */
    track(type: string, properties?: Properties, sku?: string): void;
    /** page captures a view of the page. */
    page(properties?: Properties): void;
    /** identify says who the visitor is. Later events of this page are the user's. */
    identify(userId: string, traits?: Properties): void;
    /** reset forgets the user, and the visitor becomes another: for signing out. */
    reset(): void;
    /** view captures that a product was seen. */
    view(sku: string, properties?: Properties): void;
    /** click captures that a product was clicked. */
    click(sku: string, properties?: Properties): void;
    /** addToCart captures that a product was put into the cart. Orders are sent by servers: a visitor could invent them. */
    addToCart(sku: string, properties?: Properties): void;
}
/** create returns a tracker and starts to send what waits from former pages. */
export declare function create(o: Options): Tracker;
/** address returns that of the page, without what may be private. */
export declare const address: (o: Options) => string;
