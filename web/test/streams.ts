// The server of event streams and POSTs, which the tests play by hand.
import assert from "node:assert/strict";
import { beforeEach } from "node:test";
import { sse, type SSEOptions } from "../src/sse.js";
import type { ConnectOptions, Hub } from "../src/index.js";
import { settle } from "./clock.js";
import { type Json, WELCOME } from "./server.js";
import { start } from "./setup.js";

/** A request of the client: a stream, or a POST. */
export class Asked {
  static all: Asked[] = [];

  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string | undefined;
  /** The client has given it up. */
  aborted = false;
  #answer!: (response: Response) => void;
  #fail!: (error: Error) => void;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly response = new Promise<Response>((resolve, reject) => {
    this.#answer = resolve;
    this.#fail = reject;
  });

  constructor(url: URL | string, options: RequestInit) {
    assert.equal(options.credentials, "include");
    this.url = new URL(url);
    this.method = options.method ?? "GET";
    this.headers = new Headers(options.headers);
    this.body = options.body as string | undefined;
    options.signal!.addEventListener("abort", () => {
      this.aborted = true;
      this.#break(options.signal!.reason as Error);
    });
    Asked.all.push(this);
  }

  get rooms(): string[] {
    return this.url.searchParams.getAll("room");
  }

  param(name: string): string | null {
    return this.url.searchParams.get(name);
  }

  /** Answers with a status. */
  async answer(status: number, body: Json | string = "", headers: Record<string, string> = {}): Promise<void> {
    this.#answer(new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers }));
    await settle();
  }

  /** Answers with a stream. */
  async open(): Promise<void> {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#body = controller) });
    this.#answer(new Response(body, { headers: { "Content-Type": "text/event-stream" } }));
    await settle();
  }

  /** Sends bytes of the stream. */
  async write(...parts: (string | Uint8Array)[]): Promise<void> {
    for (const part of parts) {
      this.#body!.enqueue(typeof part === "string" ? new TextEncoder().encode(part) : part);
      await settle();
    }
  }

  /** Sends an event, whose name is the frame's op unless it is given. */
  event(frame: Json, type = frame.op as string, id?: string): Promise<void> {
    return this.write(`event: ${type}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(frame)}\n\n`);
  }

  /** Welcomes the client, and lets it into all rooms that it has asked for, at this offset of epoch e. Without one they have no history. */
  async welcome(offset?: number, more: Json = {}): Promise<void> {
    await this.open();
    await this.event({ ...WELCOME, ...more });
    for (const room of this.rooms) await this.event({ op: "joined", room, ...(offset === undefined ? {} : { epoch: "e", offset }) });
  }

  /** A message of a room with history. */
  message(room: string, offset: number): Promise<void> {
    return this.event({ op: "message", room, epoch: "e", offset, data: offset });
  }

  /** Says how the stream ends. The client hangs up. */
  async close(frame: Json): Promise<void> {
    await this.event(frame, "close");
    assert.ok(this.aborted);
  }

  /** The stream is over. */
  async end(): Promise<void> {
    this.#body!.close();
    await settle();
  }

  /** The network breaks. */
  async lose(): Promise<void> {
    this.#break(new TypeError("failed to fetch"));
    await settle();
  }

  #break(error: Error): void {
    this.#fail(error);
    try {
      this.#body?.error(error);
    } catch {
      // It has been closed.
    }
  }
}

beforeEach(() => {
  Asked.all = [];
  globalThis.fetch = (url, options = {}) => new Asked(url as URL, options).response;
});

/** Takes the next request. */
export async function asked(method = "GET"): Promise<Asked> {
  await settle();
  const request = Asked.all.shift();
  assert.ok(request, "the client has asked for nothing");
  assert.equal(request.method, method);
  assert.equal(request.url.pathname, method === "GET" ? "/events" : "/post");
  return request;
}

/** Reports that nothing else was asked for. */
export async function quiet(): Promise<void> {
  await settle();
  assert.deepEqual(
    Asked.all.map(({ method, url }) => method + " " + url.href),
    [],
  );
}

/** Connects by event streams alone, unless a WebSocket class is given. */
export function follow(options: ConnectOptions = {}, more: Partial<SSEOptions> = {}): Hub {
  const addresses = { events: "http://example.com/events", post: "http://example.com/post", WebSocket: false };
  return start({ ...options, WebSocket: sse({ ...addresses, ...more }) });
}
