import type { WebSocketClass } from "./types.js";
/** Options of `sse`. */
export interface SSEOptions {
    /** The address of `hub.SSE()`, which may be relative to the page: "/events". */
    events: string | URL;
    /** The address of `hub.Post()`. Without it, the client can publish and call over a WebSocket only. */
    post?: string | URL;
    /** The WebSocket class that is tried first. The default is the global one; with false, none is. */
    WebSocket?: unknown;
}
/**
 * Makes a class for the option `WebSocket` of `connect`. It is a WebSocket, if the network lets one through. If not, the same attempt goes
 * on with an event stream, and streams are used for the next ten minutes.
 */
export declare function sse({ events, post, WebSocket: inner }: SSEOptions): WebSocketClass;
