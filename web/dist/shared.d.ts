import { type Up } from "./link.js";
import type { ConnectOptions, Hub } from "./types.js";
export { persist } from "./index.js";
export { HubError } from "./index.js";
export type * from "./types.js";
/** Options of `connect`. */
export interface SharedOptions extends ConnectOptions {
    /**
     * Where the module `shared-worker.js` of this package is, of the page's own origin. By default it is beside this module. With false
     * no SharedWorker is used: one of the tabs holds the connection.
     */
    worker?: string | URL | false;
    /** Tabs share a connection if they give the same URL and the same name. Give the user's name if tabs may belong to different users. */
    name?: string;
}
/** What carries messages between this tab and the relay. */
export interface Wire {
    post(up: Up): void;
    /** The relay does not answer. */
    unanswered(): void;
    /** The tab wants to be connected. */
    enter(): void;
    /** The tab does not, or cannot be relied on. */
    leave(): void;
}
/**
 * Connects to the hub at a URL as `connect` of "@gohubkit/client" does, over one connection for all tabs of the origin. It is held by a
 * SharedWorker, if the browser has one, or else by one of the tabs, which is replaced when it closes or freezes. A browser that has
 * neither SharedWorker nor Web Locks gives each tab a connection of its own.
 *
 * The connection has the identity of one of the tabs: the client asks any of them for a token.
 */
export declare function connect(url: string | URL, { worker, name, ...options }?: SharedOptions): Hub;
