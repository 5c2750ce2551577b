// Runs the cases that all clients share: ../../docs/clients.md says what they mean.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { setMaxListeners } from "node:events";
import { test } from "node:test";
import { connect, HubError, type Hub, type State } from "../src/index.js";
import { cbor } from "../src/cbor.js";
import * as shared from "../src/shared.js";
import { Clock, settle } from "./clock.js";
import { BinarySocket, dialed, Socket, type Json } from "./server.js";
import { Channel, Locks } from "./tabs.js";

interface Case {
  name: string;
  options?: { token?: string };
  for?: Json[];
  steps: Json[];
}

type How = "alone" | "shared" | "cbor";

const dir = "../protocol/cases/";

class Run {
  readonly clock = new Clock();
  readonly #bound: Json;
  readonly #states: (State & { at: number })[] = [];
  readonly #events: Json[] = [];
  readonly #results: Record<string, Promise<Json>> = {};
  readonly #hub: Hub;
  #socket!: Socket;

  /** How the client connects: "shared" is a tab that holds the connection of all tabs. */
  constructor(
    c: Case,
    bound: Json,
    readonly how: How,
  ) {
    this.#bound = bound;
    this.clock.install();
    Socket.all = [];
    Socket.chooses = how === "cbor" ? "hubkit.v1.cbor" : "hubkit.v1";
    const { token } = c.options ?? {};
    this.#hub = (how === "shared" ? shared : { connect }).connect("ws://example.com/ws", {
      WebSocket: how === "cbor" ? cbor(BinarySocket) : Socket,
      ...(how === "shared" ? { worker: false } : {}),
      ...(token ? { token: () => token } : {}),
      onState: (s) => this.#states.push({ ...s, at: this.clock.now }),
      onMessage: (message) => this.#events.push({ message }),
      onServerJoin: ({ name }) => this.#events.push({ joined: { room: name } }),
    });
  }

  end(): void {
    this.#hub.close();
    this.clock.uninstall();
  }

  async step(step: Json): Promise<void> {
    const [what] = Object.keys(step) as [string];
    const arg = step[what] as Json & { room: string; as: string };
    const { room } = arg;
    switch (what) {
      case "subscribe": {
        const { history, epoch, offset } = arg as { history?: number; epoch?: string; offset?: number };
        this.#hub.subscribe(room, {
          ...(history ? { history } : {}),
          ...(epoch ? { position: { epoch, offset: offset ?? 0 } } : {}),
          onMessage: (message) => this.#events.push({ message }),
          onGap: (gap) => this.#events.push({ gap }),
          onError: ({ code }) => this.#events.push({ error: { room, code } }),
          onLeft: ({ code }) => this.#events.push({ left: { room, code } }),
          onPresence: (e) =>
            this.#events.push({
              presence: e.type === "changed" ? { room, type: e.type, count: e.count, spread_ms: e.spreadMs } : { room, ...e },
            }),
        });
        return;
      }
      case "leave":
        return this.#hub.room(arg as unknown as string)!.leave();
      case "publish": {
        const { as, room, data, key, ...carried } = arg;
        return this.#result(
          as,
          this.#hub.publish(room, data, { ...carried, ...(String(key).startsWith("$") ? {} : { key: String(key) }) }),
        );
      }
      case "call":
        return this.#result(arg.as, this.#hub.call(arg.method as string, arg.data));
      case "send":
        return this.#result(arg.as, this.#hub.send(arg.data));
      case "presence":
        return this.#result(arg.as, this.#hub.room(room)!.presence());
      case "history": {
        const { epoch, offset, limit, reverse } = arg as { epoch?: string; offset?: number; limit?: number; reverse?: boolean };
        const from = epoch ? { from: { epoch, offset: offset ?? 0 } } : {};
        return this.#result(
          arg.as,
          this.#hub.room(room)!.history({ ...from, ...(limit ? { limit } : {}), ...(reverse ? { reverse } : {}) }),
        );
      }
      case "dial": {
        await this.#until(() => Socket.all.length > 0, "a connection");
        this.#socket = await dialed();
        assert.equal(this.#socket.asked, this.how === "cbor" ? "hubkit.v1.cbor hubkit.v1" : "hubkit.v1");
        if ("ticket" in arg) assert.equal(new URL(this.#socket.url).searchParams.get("hubkit_resume"), arg.ticket);
        return this.#socket.open();
      }
      case "expect":
        await this.#until(() => this.#socket.frames.length > 0, JSON.stringify(arg));
        return this.#match(this.#socket.take(), arg);
      case "push":
        return this.#socket.push(this.#fill(arg) as Json);
      case "text":
        return this.#socket.push(arg);
      case "close":
        return this.#socket.end(this.#fill(arg.code) as number, this.#fill(arg.reason) as string);
      case "cut":
        return this.#socket.end(1006);
      case "event":
        await settle();
        assert.deepEqual(plain(this.#events.shift()), plain(arg));
        return;
      case "state": {
        await this.#until(() => this.#states.some((s) => s.status === (arg as unknown)), "the state of " + JSON.stringify(step));
        let state: State & { at: number };
        do state = this.#states.shift()!;
        while (state.status !== (arg as unknown));
        if ("min" in step && state.status === "waiting") {
          const wait = state.until - state.at;
          const [min, max] = [this.#fill(step.min) as number, this.#fill(step.max) as number];
          assert.ok(wait >= min && wait <= max, `waits ${wait} ms, want ${min} to ${max}`);
        }
        return;
      }
      case "result": {
        const got = await this.#results[arg.of as string];
        const want = arg.error ? { error: arg.error } : { ok: arg.ok };
        assert.deepEqual(plain(got), plain(want));
        return;
      }
    }
    assert.fail("unknown step " + what);
  }

  /** Nothing else has come. */
  settled(): void {
    assert.deepEqual(this.#events, []);
    assert.deepEqual(
      this.#socket.frames.filter((f) => f.op !== "ping"),
      [],
    );
  }

  #result(as: string, promise: Promise<unknown>): void {
    this.#results[as] = promise.then(
      (ok) => ({ ok: ok ?? null }),
      (error: unknown) => ({ error: (error as HubError).code }),
    );
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    await settle();
    for (let n = 0; !done(); n++) {
      assert.ok(n < 10_000, "waited in vain for " + what);
      await this.clock.pass(10);
    }
  }

  // Puts in what was bound.
  #fill(value: unknown): unknown {
    if (typeof value === "string" && value.startsWith("$")) return this.#bound[value.slice(1)];
    if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, k === "data" ? v : this.#fill(v)]));
  }

  // Compares a frame with what is wanted, and binds what that names for the first time.
  #match(got: Json, want: Json): void {
    for (const [field, value] of Object.entries(want)) {
      if (typeof value === "string" && value.startsWith("$")) this.#bound[value.slice(1)] ??= got[field];
    }
    // The rooms of all tabs are resumed in any order.
    const sorted = (f: Json) =>
      this.how === "shared" && Array.isArray(f.resume) ? { ...f, resume: [...(f.resume as Json[])].sort(byRoom) } : f;
    assert.deepEqual(frame(sorted(got)), frame(sorted(this.#fill(want) as Json)));
  }
}

const byRoom = (a: Json, b: Json) => (String(a.room) < String(b.room) ? -1 : 1);

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

// An offset of 0 and an empty list are the same as none.
const frame = (value: Json): unknown =>
  JSON.parse(
    JSON.stringify(value, (k, v: unknown) =>
      (k === "offset" && v === 0) || (k === "resume" && (v as unknown[]).length === 0) ? undefined : v,
    ),
  );

// What the shared client needs of a browser.
const locks = new Locks();
Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
Object.assign(globalThis, { document: new EventTarget(), window: globalThis, addEventListener() {}, BroadcastChannel: Channel });
setMaxListeners(0, document);

async function run(c: Case, bound: Json, how: How): Promise<void> {
  const run = new Run(c, { ...bound }, how);
  try {
    for (const [n, step] of c.steps.entries()) {
      try {
        await run.step(step);
      } catch (error) {
        (error as Error).message = `step ${n + 1}, ${JSON.stringify(step)}: ${(error as Error).message}`;
        throw error;
      }
    }
    await settle();
    run.settled();
  } finally {
    run.end();
    await settle();
  }
}

for (const file of readdirSync(dir)) {
  const { cases } = JSON.parse(readFileSync(dir + file, "utf8")) as { cases: Case[] };
  for (const c of cases) {
    for (const bound of c.for ?? [{}]) {
      const name = `${file}: ${c.name} ${c.for ? JSON.stringify(bound) : ""}`;
      test(name, () => run(c, bound, "alone"));
      test("shared, " + name, () => run(c, bound, "shared"));
      test("cbor, " + name, () => run(c, bound, "cbor"));
    }
  }
}
