// One connection for all tabs of an origin.

import { connect as connectAlone } from "./index.js";
import { createElection } from "./election.js";
import { deadline } from "./deadline.js";
import { base, type Down, type Up } from "./link.js";
import type { ConnectOptions, Hub, WebSocketLike } from "./types.js";

export { persist } from "./index.js";
export { HubError } from "./index.js";
export type * from "./types.js";

const VERSION = "hubkit/1 ";
const PATIENCE = 4e3; // with a relay that does not answer
const AGAIN = '{"retry_after_ms":1}';

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
export function connect(url: string | URL, { worker, name = "", ...options }: SharedOptions = {}): Hub {
  const { navigator, BroadcastChannel, SharedWorker, document } = globalThis as Partial<typeof globalThis>;
  const address = new URL(url, (globalThis.location as Location | undefined)?.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.hash = "";
  const key = VERSION + address.href + " " + name;
  const canElect = !!(document && navigator?.locks && BroadcastChannel);
  const election = () => createElection(key, base(address.href), receive, options.WebSocket);
  let useWorker = !!SharedWorker && worker !== false;
  let silent = 0; // workers in a row that did not answer
  if (!useWorker && !canElect) return connectAlone(url, options);

  const sockets = new Map<string, LinkSocket>();
  let ended = false; // the relay has ended the last link, and says when it connects again
  let wire: Wire | undefined;

  const receive = (down: Down) => {
    if ("dial" in down) {
      if (ended && hub.state.status === "waiting") hub.open();
    } else for (const [id, socket] of sockets) if (!("links" in down) || down.links.includes(id)) socket.receive(down);
  };

  // Does without this worker.
  const fail = (broken: boolean) => {
    wire?.leave();
    wire = undefined;
    if (canElect && (broken || ++silent > 1)) useWorker = false;
    for (const socket of [...sockets.values()]) socket.end(4000, AGAIN);
  };

  const wired = (): Wire => {
    if (wire) return wire;
    try {
      wire = useWorker ? workerWire(worker || undefined, key, receive, fail) : election();
    } catch (error) {
      if (!canElect) throw error;
      useWorker = false; // the page's policy does not allow it
      wire = election();
    }
    return wire;
  };

  /** What the client takes for a WebSocket. */
  class LinkSocket implements WebSocketLike {
    readonly id = Math.random().toString(36).slice(2) + Date.now().toString(36);
    protocol = "";
    readyState = 0;
    onopen: ((event: never) => unknown) | null = null;
    onmessage: ((event: never) => unknown) | null = null;
    onclose: ((event: never) => unknown) | null = null;
    onerror: ((event: never) => unknown) | null = null;
    relay: string | undefined;
    readonly #wire = wired();
    readonly #protocol: string;
    readonly #url: string;
    #stop: (() => void) | undefined;
    #release: (() => void) | undefined;

    constructor(url: string, protocol: string) {
      this.#url = url;
      this.#protocol = protocol;
      ended = false;
      sockets.set(this.id, this);
      this.#wire.enter();
      // The relay learns from this lock that the tab is gone.
      if (!navigator?.locks) this.#open();
      else
        void navigator.locks
          .request(this.id, () => {
            if (this.readyState > 1) return;
            this.#open();
            return new Promise<void>((resolve) => (this.#release = resolve));
          })
          .catch(() => {}); // the page goes
    }

    #open(): void {
      this.#stop?.();
      this.#stop = deadline(PATIENCE + Math.random() * 1e3, () => this.#wire.unanswered());
      this.#post({ open: this.#url });
    }

    #post(up: { open: string } | { text: string } | { confirm: true } | { end: true }): void {
      this.#wire.post({ ...up, link: this.id, at: Date.now(), relay: this.relay });
    }

    receive(down: Down): void {
      if ("leads" in down) {
        if (!this.relay) this.#open();
        else if (this.relay !== down.relay) this.end(4000, AGAIN);
      } else if ("links" in down) {
        this.relay ??= down.relay; // the first that answers
        if (this.relay !== down.relay) return;
        if (down.open && !this.readyState) {
          this.#stop?.();
          this.readyState = 1;
          silent = 0;
          this.protocol = this.#protocol;
          this.onopen?.({} as never);
        }
        if (down.text) this.onmessage?.({ data: down.text } as never);
        if (down.mark?.includes(this.id)) this.#post({ confirm: true });
        if (down.close) this.end(...down.close);
      }
    }

    /** The link has ended. */
    end(code: number, reason: string): void {
      const { onclose } = this;
      this.protocol = this.#protocol; // there is nothing to be explained about it
      this.#forget();
      ended = true;
      onclose?.({ code, reason } as never);
    }

    send(text: string): void {
      if (this.readyState === 1) this.#post({ text });
    }

    close(): void {
      if (this.readyState > 1) return;
      if (this.relay) this.#post({ end: true });
      this.#forget();
      ended = false;
    }

    #forget(): void {
      this.readyState = 3;
      sockets.delete(this.id);
      this.#stop?.();
      this.#release?.();
    }
  }

  const hub = connectAlone(url, { ...options, WebSocket: LinkSocket });
  hub.on({ onState: ({ status }) => status === "closed" && wire?.leave() });
  const listen = (target: Partial<EventTarget> | undefined, type: string, f: () => void) => target?.addEventListener?.(type, f);
  listen(document, "freeze", () => wire?.leave());
  listen(document, "resume", () => sockets.size && wire?.enter());
  listen(globalThis, "pagehide", () => wire?.leave());
  return hub;
}

function workerWire(at: string | URL | undefined, name: string, receive: (down: Down) => void, fail: (broken: boolean) => void): Wire {
  const worker = at
    ? new SharedWorker(at, { type: "module", name })
    : new SharedWorker(new URL("./shared-worker.js", import.meta.url), { type: "module", name });
  worker.onerror = () => fail(true);
  worker.port.onmessage = ({ data }: MessageEvent<Down>) => receive(data);
  return {
    post: (up) => worker.port.postMessage(up),
    unanswered: () => fail(false),
    enter() {},
    leave: () => worker.port.postMessage("bye"),
  };
}
