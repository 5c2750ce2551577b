// A browser with several tabs: locks, channels and SharedWorkers.
import { setMaxListeners } from "node:events";
import { afterEach, beforeEach } from "node:test";
import { connect, type SharedOptions } from "../src/shared.js";
import type { Hub } from "../src/types.js";
import { serveTabs } from "../src/worker-host.js";
import { settle } from "./clock.js";
import { Socket } from "./server.js";
import { clock, ends } from "./setup.js";

interface Waiter {
  lead: () => unknown;
  done: (value?: unknown) => void;
  fail: (error: Error) => void;
}

const aborted = () => new DOMException("aborted", "AbortError");

export class Locks {
  #queues = new Map<string, Waiter[]>();

  request(name: string, a: LockOptions | (() => unknown), b?: () => unknown): Promise<unknown> {
    const lead = (b ?? a) as () => unknown;
    const { signal, steal } = b ? (a as LockOptions) : {};
    const queue = this.#queues.get(name) ?? [];
    this.#queues.set(name, queue);
    return new Promise((done, fail) => {
      const waiter = { lead, done, fail };
      if (steal) {
        queue.shift()?.fail(aborted());
        queue.unshift(waiter);
      } else queue.push(waiter);
      signal?.addEventListener("abort", () => {
        if (!queue.includes(waiter) || queue[0] === waiter) return;
        queue.splice(queue.indexOf(waiter), 1);
        fail(aborted());
      });
      if (queue[0] === waiter) this.#grant(queue, waiter);
    });
  }

  #grant(queue: Waiter[], waiter: Waiter): void {
    queueMicrotask(() => {
      void Promise.resolve(waiter.lead()).then((value) => {
        waiter.done(value);
        if (queue[0] !== waiter) return;
        const [, next] = queue;
        queue.shift();
        if (next) this.#grant(queue, next);
      });
    });
  }
}

/** The channel of one tab. A tab that is frozen reads nothing. */
export class Channel {
  static all: Channel[] = [];
  onmessage: ((event: { data: unknown }) => void) | undefined;
  #held: unknown[] | undefined;

  constructor(readonly name: string) {
    Channel.all.push(this);
  }

  postMessage(data: unknown): void {
    for (const other of Channel.all) if (other !== this && other.name === this.name) other.#take(structuredClone(data));
  }

  #take(data: unknown): void {
    if (this.#held) this.#held.push(data);
    else queueMicrotask(() => this.onmessage?.({ data }));
  }

  freeze(): void {
    this.#held ??= [];
  }

  thaw(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const data of held) this.#take(data);
  }
}

class Port {
  onmessage: ((event: { data: unknown }) => void) | undefined;
  other: Port | undefined;

  postMessage(data: unknown): void {
    const copy: unknown = structuredClone(data);
    queueMicrotask(() => this.other?.onmessage?.({ data: copy }));
  }
}

/** Workers by name. */
export class FakeWorker {
  static all = new Map<string, (port: MessagePort) => void>();
  static made: FakeWorker[] = [];
  static broken = false;
  static silent = false;
  readonly port = new Port();
  onerror: (() => void) | undefined;

  constructor(_: URL, { name }: { name: string }) {
    FakeWorker.made.push(this);
    if (FakeWorker.broken) queueMicrotask(() => this.onerror?.());
    const port = new Port();
    port.other = this.port;
    this.port.other = port;
    if (FakeWorker.broken || FakeWorker.silent) return;
    const serve = FakeWorker.all.get(name) ?? serveTabs();
    FakeWorker.all.set(name, serve);
    serve(port as never);
  }
}

/** What happens to the pages, all of them. */
export let page: EventTarget;

let tabs: Hub[] = [];

/** Has the tests of this file run in such a browser. */
export function browser(): void {
  const globals = globalThis as unknown as Record<string, unknown>;
  const kept = new Map<string, PropertyDescriptor | undefined>();
  const set = (name: string, value: unknown) => {
    if (!kept.has(name)) kept.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  };
  beforeEach(() => {
    const win = new EventTarget();
    page = Object.assign(new EventTarget(), { hidden: false });
    setMaxListeners(0, win, page);
    set("document", page);
    set("window", globals);
    set("addEventListener", win.addEventListener.bind(win));
    set("navigator", { locks: new Locks() });
    set("BroadcastChannel", Channel);
    set("SharedWorker", FakeWorker);
    set("WebSocket", Socket);
  });
  beforeEach(() => {
    ends.push(async () => {
      for (const tab of tabs) tab.close();
      tabs = [];
      await settle();
      await clock.pass(6000);
    });
  });
  afterEach(() => {
    for (const [name, was] of kept)
      if (was) Object.defineProperty(globalThis, name, was);
      else Reflect.deleteProperty(globalThis, name);
    kept.clear();
    Channel.all = [];
    FakeWorker.all.clear();
    FakeWorker.made = [];
    FakeWorker.broken = FakeWorker.silent = false;
  });
}

/** Opens the page in a tab. */
export function open(options: SharedOptions = {}): Hub {
  const tab = connect("ws://example.com/ws", { WebSocket: Socket, worker: false, ...options });
  tabs.push(tab);
  return tab;
}
