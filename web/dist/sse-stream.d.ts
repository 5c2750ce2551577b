import type { WebSocketLike } from "./types.js";
/** An event stream, and what is sent beside it, as a WebSocket of hubkit.v1. */
export declare class EventStream implements WebSocketLike {
    #private;
    onopen: WebSocketLike["onopen"];
    onmessage: WebSocketLike["onmessage"];
    onclose: WebSocketLike["onclose"];
    onerror: WebSocketLike["onerror"];
    protocol: string;
    readyState: number;
    constructor(url: string, protocol: string, events: string | URL, post: string | URL | undefined);
    close(): void;
    send(text: string): void;
}
