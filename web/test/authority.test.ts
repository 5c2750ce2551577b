// Rights that begin and end while the connection stays, history, presence, and positions that outlive a reload.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HubError, persist, type HistoryPage, type Presence, type Room } from "../src/index.js";
import { settle } from "./clock.js";
import { greeted, WELCOME } from "./server.js";
import { clock, start } from "./setup.js";

test("a token is renewed ahead of its end", async () => {
  let n = 0;
  const hub = start({ token: () => "t" + ++n });
  const { socket } = await greeted({ expires_ms: 600_000 });
  const pinged = async (ms: number) => {
    for (; ms > 0; ms -= 10_000) {
      await clock.pass(Math.min(ms, 10_000));
      await socket.push({ op: "live" });
    }
  };
  await pinged(539_999);
  socket.quiet();
  await pinged(1);
  const { id, ...frame } = socket.take("token");
  assert.deepEqual(frame, { op: "token", token: "t2" });
  await socket.push({ op: "ok", id, expires_ms: 40_000 });
  await pinged(29_999);
  socket.quiet();
  await pinged(1);
  await socket.push({ op: "ok", id: socket.take("token").id }); // for good
  await pinged(600_000);
  socket.quiet();
  assert.equal(hub.state.status, "open");
});

test("a token that cannot be had for now is asked for again, a refused one is not", async () => {
  let fail = true;
  const errors: HubError[] = [];
  start({
    onError: (e) => errors.push(e),
    token: async ({ room }) => {
      if (room && fail) throw new Error("no network");
      return "t";
    },
  });
  const { socket } = await greeted();
  await socket.push({ op: "refresh", room: "a", expires_ms: 30_000 });
  socket.quiet();
  fail = false;
  await clock.pass(4000);
  const first = socket.take("token");
  assert.equal(first.room, "a");
  await socket.push({ op: "error", id: first.id, code: "unavailable", retry_after_ms: 5000 });
  await clock.pass(4999);
  socket.quiet();
  await clock.pass(2001);
  await socket.push({ op: "error", id: socket.take("token").id, code: "unauthorized" });
  assert.equal(errors[0]?.code, "unauthorized");
  await clock.pass(20_000);
  socket.quiet();
});

test("without a token function nothing is renewed", async () => {
  start();
  const { socket } = await greeted({ expires_ms: 10_000 });
  await socket.push({ op: "refresh", expires_ms: 5000 });
  await clock.pass(9000);
  socket.quiet();
});

test("a connection that is lost while a token is fetched does not send it", async () => {
  let release: (token: string) => void = () => {};
  const signals: AbortSignal[] = [];
  start({
    token: ({ signal }) => {
      signals.push(signal);
      return signals.length === 2 ? new Promise((resolve) => (release = resolve)) : "t";
    },
  });
  const { socket } = await greeted();
  await socket.push({ op: "refresh" });
  await socket.end(4009);
  assert.ok(signals[1]!.aborted);
  release("old");
  await clock.pass(2000);
  const next = await greeted();
  next.socket.quiet();
});

test("a grant is renewed for its room", async () => {
  const rooms: (string | undefined)[] = [];
  const hub = start({ token: ({ room }) => (rooms.push(room), "t") });
  const room = hub.subscribe("a");
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", expires_ms: 4000, read_only: true });
  assert.ok(room.readOnly);
  await clock.pass(3000);
  const frame = socket.take("token");
  assert.deepEqual(frame, { op: "token", id: frame.id, room: "a", token: "t" });
  assert.deepEqual(rooms, [undefined, "a"]);
});

test("a room that was taken away may be subscribed again", async () => {
  const hub = start();
  const left: string[] = [];
  const room = hub.subscribe("a", { onLeft: (e) => left.push(`${e.code} ${e.message} ${String(e.room)}`) });
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", epoch: "e", offset: 1 }, { op: "left", room: "a", code: "expired", message: "over" });
  assert.deepEqual(left, ["expired over a"]);
  assert.equal(room.status, "left");
  room.leave(); // does nothing more
  socket.quiet();
  hub.subscribe("a", { position: room.position! });
  const join = socket.take("join");
  assert.deepEqual(join, { op: "join", id: join.id, room: "a", epoch: "e", offset: 1 });
});

test("rooms of the server's have handlers, may be subscribed, and end with left", async () => {
  const got: string[] = [];
  const rooms: Room[] = [];
  const hub = start({
    onMessage: (m) => got.push("hub " + String(m.data)),
    onServerJoin: (room) => {
      rooms.push(room);
      if (room.name === "handled") room.on({ onMessage: (m) => got.push("room " + String(m.data)), onLeft: (e) => got.push(e.code) });
    },
  });
  const { socket } = await greeted();
  await socket.push({ op: "joined", room: "handled" }, { op: "joined", room: "plain", epoch: "e", offset: 0 });
  await socket.push({ op: "message", room: "handled", data: 1 }, { op: "message", room: "plain", epoch: "e", offset: 1, data: 2 });
  assert.deepEqual(got, ["room 1", "hub 2"]);
  hub.subscribe("plain", { onMessage: (m) => got.push("own " + String(m.data)) });
  socket.quiet();
  await socket.push({ op: "message", room: "plain", epoch: "e", offset: 2, data: 3 });
  await socket.end();
  await clock.pass(2000);
  const next = await greeted();
  assert.deepEqual(next.hello.resume, [
    { room: "handled", joined: true },
    { room: "plain", epoch: "e", offset: 2 },
  ]);
  await next.socket.push({ op: "left", room: "handled", code: "removed" });
  assert.deepEqual(got.slice(2), ["own 3", "removed"]);
  assert.equal(hub.room("handled"), undefined);
  assert.equal(rooms.length, 2);
});

test("history is read in pages, from a message on", async () => {
  const hub = start();
  const room = hub.subscribe<string>("a");
  const { socket } = await greeted();
  const page = async (ask: Promise<HistoryPage<string>>, want: object, answer: object) => {
    await settle();
    const { id, ...frame } = socket.take("history");
    assert.deepEqual(frame, { op: "history", room: "a", ...want });
    await socket.push({ op: "ok", id, ...answer });
    return ask;
  };
  const data = { messages: [{ offset: 9, data: "nine" }], more: true };
  const first = await page(room.history({ reverse: true, limit: 1 }), { limit: 1, reverse: true }, { epoch: "e", offset: 9, data });
  assert.deepEqual(first, {
    messages: [{ room: "a", epoch: "e", offset: 9, data: "nine" }],
    more: true,
    newest: { epoch: "e", offset: 9 },
  });
  const from = first.messages.at(-1)!;
  const second = await page(
    room.history({ reverse: true, from }),
    { reverse: true, epoch: "e", offset: 9 },
    { epoch: "e", offset: 9, data: { messages: [] } },
  );
  assert.deepEqual(second.messages, []);
  assert.equal(second.more, false);
});

test("presence is read in pages", async () => {
  const hub = start();
  const room = hub.subscribe<unknown, { status: string }>("a");
  const { socket } = await greeted();
  const ask: Promise<Presence<{ status: string }>> = room.presence({ limit: 1, after: "x" });
  await settle();
  const { id, ...frame } = socket.take("presence");
  assert.deepEqual(frame, { op: "presence", room: "a", after: "x", limit: 1 });
  await socket.push({ op: "ok", id, data: { count: 2, users: 1, members: [{ conn: "c", info: { status: "away" } }], next: "y" } });
  const answer = await ask;
  assert.equal(answer.members[0]!.info?.status, "away");
  assert.equal(answer.next, "y");
  const numbers = room.presence({ count: true });
  await settle();
  await socket.push({ op: "ok", id: socket.take("presence").id, data: { count: 2 } });
  assert.deepEqual(await numbers, { count: 2, members: [] });
});

/** A storage of a tab. */
class Storage {
  readonly items = new Map<string, string>();
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
}

test("a page that is reloaded goes on where it was, once", async () => {
  const storage = new Storage();
  const first = start({ store: persist(storage) });
  first.subscribe("a");
  first.subscribe("b");
  const before = await greeted({ ticket: "T-1" });
  await before.socket.push({ op: "ok", room: "a", epoch: "e", offset: 1 }, { op: "ok", room: "b" });
  await before.socket.push({ op: "message", room: "a", epoch: "e", offset: 2, data: 2 });
  await clock.pass(1000);
  first.close();

  const got: unknown[] = [];
  const second = start({ store: persist(storage) });
  const room = second.subscribe("a", { history: 10, onMessage: (m) => got.push(m.data) });
  assert.deepEqual(room.position, { epoch: "e", offset: 2 });
  const { socket, hello } = await greeted();
  assert.match(socket.url, /\?hubkit_resume=T-1$/);
  assert.deepEqual(hello.resume, [{ room: "a", epoch: "e", offset: 2 }]);
  await socket.push({ op: "ok", room: "a", epoch: "e", offset: 2 }, { op: "message", room: "a", epoch: "e", offset: 3, data: 3 });
  assert.deepEqual(got, [3]);
  room.leave();
  await clock.pass(1000);
  assert.deepEqual(JSON.parse(storage.getItem("hubkit")!), { rooms: {} });
  second.subscribe("a");
  assert.equal(socket.frames.at(-1)?.offset, undefined);
});

test("a message whose callback did not return comes again after a reload", async () => {
  const storage = new Storage();
  const hub = start({ store: persist(storage) });
  const room = hub.subscribe("a", { onMessage: () => assert.deepEqual(room.position, { epoch: "e", offset: 1 }) });
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", epoch: "e", offset: 1 }, { op: "message", room: "a", epoch: "e", offset: 2, data: 2 });
  assert.deepEqual(room.position, { epoch: "e", offset: 2 });
});

test("a storage that is broken or holds nonsense costs nothing else", async () => {
  for (const text of [
    "",
    "{",
    "null",
    "[]",
    '{"rooms":null}',
    '{"ticket":7,"rooms":{"a":7}}',
    '{"rooms":{"a":{"epoch":"e","offset":-1}}}',
  ]) {
    const storage = new Storage();
    storage.setItem("hubkit", text);
    const hub = start({ store: persist(storage) });
    hub.subscribe("a");
    const { socket, hello } = await greeted(WELCOME);
    assert.ok(!socket.url.includes("?"), text);
    assert.deepEqual(hello.resume, [{ room: "a" }], text);
    hub.close();
    await clock.pass(1000);
  }
  const broken = {
    getItem: () => {
      throw new Error("forbidden");
    },
    setItem: () => {
      throw new Error("full");
    },
  };
  const hub = start({ store: persist(broken) });
  const { socket } = await greeted();
  await clock.pass(1000);
  assert.equal(hub.state.status, "open");
  socket.quiet();
});
