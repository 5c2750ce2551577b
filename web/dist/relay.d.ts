import { type Down, type Up } from "./link.js";
import type { WebSocketClass } from "./types.js";
export type Relay = ReturnType<typeof createRelay>;
/** Makes a relay that sends by post. It connects when a tab asks. */
export declare function createRelay(url: string, post: (down: Down) => void, WebSocket?: WebSocketClass): {
    id: string;
    /** Takes what a tab has sent. */
    receive(up: Up): void;
    /** Ends all tabs' links, which find another relay, and the connection. */
    stop: () => void;
};
