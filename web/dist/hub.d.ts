import type * as api from "./types.js";
/**
 * Connects to the hub at a URL, which may be relative to the page: "/ws". The connection is made again whenever it is lost, until
 * `close()`, or until the server says that there is no coming back.
 */
export declare function connect(url: string | URL, options?: api.ConnectOptions): api.Hub;
