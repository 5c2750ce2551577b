// WebSockets that speak hubkit.v1.cbor. The client reads and writes JSON as ever; what is on the wire is converted here.

import { decode, encode } from "./cbor-frames.js";
import type { WebSocketClass, WebSocketLike } from "./types.js";

export { fromBase64, toBase64 } from "./cbor-frames.js";

/** The part of a WebSocket class that `cbor` uses: that of the browser, of Node 22 and later, or of the package `ws`. */
export type BinaryWebSocketClass = new (
  url: string,
  protocols: string[],
) => {
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
export function cbor(Inner: unknown = WebSocket): WebSocketClass {
  const Class = Inner as BinaryWebSocketClass;
  return class implements WebSocketLike {
    onopen: WebSocketLike["onopen"] = null;
    onmessage: WebSocketLike["onmessage"] = null;
    onclose: WebSocketLike["onclose"] = null;
    onerror: WebSocketLike["onerror"] = null;
    readonly #ws: InstanceType<BinaryWebSocketClass>;
    #binary = false;

    constructor(url: string, protocol: string) {
      const ws = (this.#ws = new Class(url, [protocol + ".cbor", protocol]));
      ws.binaryType = "arraybuffer";
      ws.onopen = (event) => {
        this.#binary = ws.protocol !== protocol;
        this.onopen?.(event);
      };
      ws.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => this.onmessage?.({ data: this.#read(data) } as never);
      ws.onclose = (event) => this.onclose?.(event);
      ws.onerror = (event) => this.onerror?.(event);
    }

    get protocol(): string {
      return this.#ws.protocol.replace(/\.cbor$/, "");
    }

    get readyState(): number {
      return this.#ws.readyState;
    }

    send(text: string): void {
      this.#ws.send(this.#binary ? encode(text) : text);
    }

    close(code?: number): void {
      this.#ws.close(code);
    }

    // What cannot be read is passed on as what is no JSON either, so that the client drops the connection.
    #read(data: string | ArrayBuffer): string {
      try {
        return this.#binary ? decode(new Uint8Array(data as ArrayBuffer)) : (data as string);
      } catch (error) {
        return String(error);
      }
    }
  };
}
