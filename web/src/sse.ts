// What the client takes for a WebSocket where there can be none: Server-Sent Events to read, and a POST for each thing to send.

import { EventStream } from "./sse-stream.js";
import type { WebSocketClass, WebSocketLike } from "./types.js";

const BLOCKED = 6e5; // how long a network in which only streams work is taken for one
const SWALLOWED = 4e3; // a WebSocket that is not answered for so long is taken for blocked

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
export function sse({ events, post, WebSocket: inner = (globalThis as { WebSocket?: unknown }).WebSocket }: SSEOptions): WebSocketClass {
  const Class = inner as WebSocketClass | false | undefined;
  let until = 0; // when a WebSocket is tried again

  return class implements WebSocketLike {
    onopen: WebSocketLike["onopen"] = null;
    onmessage: WebSocketLike["onmessage"] = null;
    onclose: WebSocketLike["onclose"] = null;
    onerror: WebSocketLike["onerror"] = null;
    #socket!: WebSocketLike;
    #timer: ReturnType<typeof setTimeout> | undefined;

    constructor(url: string, protocol: string) {
      const stream = () => {
        clearTimeout(this.#timer);
        let welcome = false;
        const socket = new EventStream(url, protocol, events, post);
        this.#use(socket, () => {
          if (!welcome) until = 0;
        });
        socket.onmessage = (event) => {
          if (!welcome) until = Date.now() + BLOCKED;
          welcome = true;
          this.onmessage?.(event);
        };
      };
      if (!Class || Date.now() < until) {
        stream();
        return;
      }
      const socket = new Class(url, protocol);
      this.#use(socket, () => socket.protocol || stream());
      this.#timer = setTimeout(() => {
        detach(socket);
        socket.close();
        stream();
      }, SWALLOWED);
    }

    // over is called at the end, and may go on with another socket.
    #use(socket: WebSocketLike, over: () => unknown): void {
      this.#socket = socket;
      socket.onopen = (event) => {
        clearTimeout(this.#timer);
        this.onopen?.(event);
      };
      socket.onmessage = (event) => this.onmessage?.(event);
      socket.onclose = (event) => {
        over();
        if (this.#socket === socket) this.onclose?.(event);
      };
      socket.onerror = (event) => this.onerror?.(event);
    }

    get protocol(): string {
      return this.#socket.protocol;
    }

    get readyState(): number {
      return this.#socket.readyState!;
    }

    send(text: string): void {
      this.#socket.send(text);
    }

    close(code?: number): void {
      clearTimeout(this.#timer);
      detach(this.#socket);
      this.#socket.close(code);
    }
  };
}

// What still comes is of no interest. A WebSocket that is closed before it is open has an error, which somebody must take.
function detach(socket: WebSocketLike): void {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.onerror = Boolean;
}
