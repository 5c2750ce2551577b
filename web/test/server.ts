// A server that the tests play by hand.
import assert from "node:assert/strict";
import { decode, encode } from "../src/cbor-frames.js";
import { settle } from "./clock.js";

export type Json = Record<string, unknown>;

/** A WebSocket of the client, and the server's end of it. */
export class Socket {
  static all: Socket[] = [];
  /** The subprotocol that the server chooses. */
  static chooses = "hubkit.v1";

  protocol = "";
  onopen: ((event: never) => unknown) | null = null;
  onmessage: ((event: never) => unknown) | null = null;
  onclose: ((event: never) => unknown) | null = null;
  onerror: ((event: never) => unknown) | null = null;
  /** What the client sent and nobody has looked at yet. */
  readonly frames: Json[] = [];
  /** Publications are answered at once. */
  answers = false;
  closedWith: number | "none" | undefined;
  ended = false;

  constructor(
    readonly url: string,
    readonly asked: string,
  ) {
    Socket.all.push(this);
  }

  send(text: string): void {
    assert.ok(!this.ended, "sent on a WebSocket that has ended");
    const frame = JSON.parse(text) as Json;
    this.frames.push(frame);
    if (this.answers && frame.op === "publish") queueMicrotask(() => void this.push({ op: "ok", id: frame.id }));
  }

  close(code?: number): void {
    this.closedWith = code ?? "none";
    this.ended = true;
  }

  // The server's.

  async open(): Promise<void> {
    this.protocol = Socket.chooses;
    this.onopen?.({} as never);
    await settle();
  }

  async push(...frames: (Json | string)[]): Promise<void> {
    for (const frame of frames) this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) } as never);
    await settle();
  }

  async end(code = 1006, reason = ""): Promise<void> {
    this.ended = true;
    this.onclose?.({ code, reason } as never);
    await settle();
  }

  /** Takes the next frame that the client has sent. */
  take(op?: string): Json {
    const frame = this.frames.shift();
    assert.ok(frame, `the client has sent nothing, want ${op}`);
    if (op) assert.equal(frame.op, op, JSON.stringify(frame));
    return frame;
  }

  /** Reports that nothing else was sent. */
  quiet(): void {
    assert.deepEqual(this.frames, []);
  }
}

/** A WebSocket of a client that speaks CBOR if the server chooses it. */
export class BinarySocket extends Socket {
  readonly readyState = 1;
  binaryType = "";

  constructor(url: string, asked: string[]) {
    super(url, asked.join(" "));
  }

  override send(frame: string | Uint8Array): void {
    assert.equal(typeof frame === "string", this.protocol === "hubkit.v1");
    super.send(typeof frame === "string" ? frame : decode(frame));
  }

  override async push(...frames: (Json | string)[]): Promise<void> {
    if (this.protocol === "hubkit.v1") return super.push(...frames);
    assert.equal(this.binaryType, "arraybuffer");
    for (const frame of frames) this.onmessage?.({ data: binary(typeof frame === "string" ? frame : JSON.stringify(frame)) } as never);
    await settle();
  }
}

// A text that is no frame becomes bytes that are none.
function binary(text: string): ArrayBuffer {
  try {
    return encode(text).buffer;
  } catch {
    return new TextEncoder().encode(text).buffer;
  }
}

/** Takes the next WebSocket that the client has made. */
export async function dialed(): Promise<Socket> {
  await settle();
  const socket = Socket.all.shift();
  assert.ok(socket, "the client has not connected");
  return socket;
}

export const WELCOME = { op: "welcome", conn: "c1", node: "n1", session: "s1", ping_ms: 25000 };

/** Takes the next WebSocket, and welcomes the client on it. */
export async function greeted(welcome: Json = {}): Promise<{ socket: Socket; hello: Json }> {
  const socket = await dialed();
  await socket.open();
  const hello = socket.take("hello");
  await socket.push({ ...WELCOME, ...welcome });
  return { socket, hello };
}
