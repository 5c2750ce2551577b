import type { WebSocketClass } from "./types.js";
export { fromBase64, toBase64 } from "./cbor-frames.js";
/** The part of a WebSocket class that `cbor` uses: that of the browser, of Node 22 and later, or of the package `ws`. */
export type BinaryWebSocketClass = new (url: string, protocols: string[]) => {
    readonly protocol: string;
    readonly readyState: number;
    binaryType: string;
    onopen: ((event: never) => unknown) | null;
    onmessage: ((event: never) => unknown) | null;
    onclose: ((event: never) => unknown) | null;
    onerror: ((event: never) => unknown) | null;
    send(frame: string | Uint8Array<ArrayBuffer>): void;
    close(code?: number): void;
};
/**
 * Makes a class for the option `WebSocket` of `connect`. Its connections speak CBOR with a server that can, and JSON with others. In CBOR
 * a binary payload is sent as it is; `bin` of messages and publications is base64 all the same. The default is the global class.
 */
export declare function cbor(Inner?: unknown): WebSocketClass;
