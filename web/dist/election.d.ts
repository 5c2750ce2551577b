import type { Down } from "./link.js";
import type { Wire } from "./shared.js";
import type { WebSocketClass } from "./types.js";
/** Takes part in the election of a relay for the hub at a URL, and carries messages to and from it. */
export declare function createElection(key: string, url: string, receive: (down: Down) => void, WebSocket?: WebSocketClass): Wire;
