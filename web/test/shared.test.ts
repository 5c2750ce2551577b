// Several tabs on one connection.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hub, Room, SharedOptions, State } from "../src/shared.js";
import { settle } from "./clock.js";
import { dialed, greeted, Socket, type Json } from "./server.js";
import { clock } from "./setup.js";
import { browser, Channel, FakeWorker, open, page } from "./tabs.js";

browser();

const at = (offset: number, epoch = "e") => ({ epoch, offset });

// A tab that notes what it gets.
function reader(room: string, options: SharedOptions = {}, subscribe: object = {}) {
  const got: unknown[] = [];
  const states: string[] = [];
  const hub: Hub = open({ onState: ({ status }: State) => states.push(status), ...options });
  const read: Room = hub.subscribe(room, {
    ...subscribe,
    onMessage: (m) => got.push(m.data),
    onGap: ({ to }) => got.push(`gap to ${to.epoch}:${to.offset}`),
    onLeft: ({ code }) => got.push("left: " + code),
    onError: ({ code }) => got.push("error: " + code),
  });
  return { hub, room: read, got, states };
}

const message = (offset: number, data: unknown = offset, epoch = "e") => ({ op: "message", room: "a", epoch, offset, data });

// Answers the join of room a on a connection.
async function joined(socket: Socket, offset: number): Promise<void> {
  await settle();
  const join = socket.take("join");
  await socket.push({ op: "ok", id: join.id, room: "a", ...at(offset) });
}

for (const worker of [undefined, false] as const) {
  const options = { worker } as SharedOptions;
  test(`tabs share one connection, ${worker === false ? "which one of them holds" : "in a worker"}`, async () => {
    const one = reader("a", options);
    const two = reader("a", options);
    const { socket, hello } = await greeted({ data: { motd: "hi" } });
    assert.deepEqual(hello.resume, [{ room: "a" }]);
    await socket.push({ op: "ok", room: "a", ...at(4) });
    assert.equal(Socket.all.length, 0);
    for (const { hub, room } of [one, two]) {
      assert.deepEqual(hub.state, { status: "open", conn: "c1", node: "n1", data: { motd: "hi" } });
      assert.deepEqual([room.status, room.position], ["joined", at(4)]);
    }
    const answers = [one.room.publish("x", { key: "k1" }), two.hub.call("m", 7)];
    await settle();
    for (const [op, answer] of [
      ["publish", at(5)],
      ["call", { data: "y" }],
    ] as const) {
      const { id } = socket.take(op);
      await socket.push({ op: "ok", id, ...answer });
    }
    assert.deepEqual(await Promise.all(answers), [at(5), "y"]);
    await socket.push(message(5), message(6), { op: "message", data: "mine" });
    assert.deepEqual(
      [one.got, two.got],
      [
        [5, 6],
        [5, 6],
      ],
    );
    await socket.push({ op: "stale" });
    assert.deepEqual([one.hub.state.status, two.hub.state.status], ["stale", "stale"]);
    socket.quiet();
    const late = reader("a", options, { position: at(4) });
    await settle();
    assert.deepEqual(late.got, [5, 6]);
    assert.equal(late.hub.state.status, "stale");
    await socket.push({ op: "live" });
    assert.equal(late.hub.state.status, "open");
  });
}

test("a tab that takes over goes on with the session and where each tab was, and sends again what was not answered", async () => {
  const first = reader("a");
  await settle();
  const rest = [reader("a"), reader("a")];
  const { socket } = await greeted({ ticket: "t1" });
  await socket.push({ op: "ok", room: "a", ...at(1) }, message(2));
  const [two, three] = rest as [typeof first, typeof first];
  const published = two.room.publish("x", { key: "k1" });
  const called = assert.rejects(three.hub.call("m"), { code: "disconnected" });
  await settle();
  socket.take("publish");
  socket.take("call");
  first.hub.close();
  await settle();
  assert.equal(socket.closedWith, 1000);
  await clock.pass(1);
  const next = await greeted();
  assert.match(next.socket.url, /hubkit_resume=t1/);
  assert.deepEqual([next.hello.session, next.hello.resume], ["s1", [{ room: "a", ...at(2) }]]);
  await called;
  const again = next.socket.take("publish");
  assert.equal(again.key, "k1");
  await next.socket.push({ op: "ok", room: "a", ...at(2) }, message(3), { op: "ok", id: again.id, ...at(3) });
  assert.deepEqual(await published, at(3));
  assert.deepEqual(
    rest.map((tab) => tab.got),
    [
      [2, 3],
      [2, 3],
    ],
  );
  assert.deepEqual(first.got, [2]);
});

test("a tab that freezes lets another take over, and comes back to it", async () => {
  const { hub, got } = reader("a");
  await settle();
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", ...at(1) });
  page.dispatchEvent(new Event("freeze"));
  await settle();
  assert.equal(socket.closedWith, 1000);
  page.dispatchEvent(new Event("resume"));
  await clock.pass(1);
  const next = await greeted();
  await next.socket.push({ op: "ok", room: "a", ...at(1) }, message(2));
  assert.equal(hub.state.status, "open");
  assert.deepEqual(got, [2]);
});

test("a tab that holds the connection and does not answer is replaced, and what it was sent is not carried out", async () => {
  const one = reader("a");
  await settle();
  const two = reader("a");
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", ...at(1) });
  const [frozen] = Channel.all;
  frozen!.freeze();
  const published = two.room.publish("x", { key: "k1" });
  const called = assert.rejects(two.hub.call("m"), { code: "disconnected" });
  page.dispatchEvent(new Event("visibilitychange")); // tab two asks whether the relay is there
  socket.take("ping"); // and the relay asks the server
  await socket.push({ op: "ok", id: 1 });
  await clock.pass(5000); // it is not
  await called;
  await clock.pass(2000); // tab two dials,
  await clock.pass(5000); // and takes the lock
  // The tab that was replaced finds out as soon as it runs.
  assert.equal(socket.closedWith, 1000);
  const next = await greeted();
  assert.equal(next.hello.session, "s1");
  const again = next.socket.take("publish");
  assert.equal(again.key, "k1");
  await next.socket.push({ op: "ok", room: "a", ...at(1) }, message(2, "x"), { op: "ok", id: again.id, ...at(2) });
  assert.deepEqual(await published, at(2));
  frozen!.thaw();
  await settle();
  await clock.pass(20_000);
  assert.deepEqual(
    socket.frames.filter(({ op }) => op !== "ping"),
    [],
  );
  assert.deepEqual([one.got, two.got], [["x"], ["x"]]);
  assert.equal(one.hub.state.status, "open");
});

test("tabs wait as long as the connection does, and go on together", async () => {
  const [one, two] = [reader("a"), reader("a")];
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", ...at(1) });
  await socket.end(4000, '{"retry_after_ms":30000}');
  for (const { hub } of [one, two]) {
    assert.ok(hub.state.status === "waiting");
    assert.equal(Math.round(hub.state.until - clock.now), 30_000);
  }
  const queued = two.room.publish(1, { key: "k" });
  one.hub.open(); // an impatient user
  const next = await greeted();
  assert.equal(Socket.all.length, 0);
  assert.deepEqual(next.hello.resume, [{ room: "a", ...at(1) }]);
  assert.deepEqual([one.hub.state.status, two.hub.state.status], ["open", "open"]);
  const { id } = next.socket.take("publish");
  await next.socket.push({ op: "ok", id });
  await queued;
});

test("a refusal for good is one for all tabs", async () => {
  const [one, two] = [reader("a"), reader("a")];
  const { socket } = await greeted();
  await socket.end(4101, "banned");
  for (const { hub } of [one, two]) {
    assert.ok(hub.state.status === "closed");
    assert.equal(hub.state.error?.closeCode, 4101);
    assert.equal(hub.state.error.message, "banned");
  }
  one.hub.open();
  await greeted();
  assert.deepEqual([one.hub.state.status, two.hub.state.status], ["open", "closed"]);
});

test("tabs that are behind catch up from the history, and one that cannot hears of the gap", async () => {
  const one = reader("a", {}, { position: at(500) });
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", ...at(500) });
  const two = reader("a", {}, { position: at(497) });
  const three = reader("a", {}, { position: at(3, "older") });
  await settle();
  const asked = [socket.take("history"), socket.take("history")];
  assert.deepEqual([asked[0]!.epoch, asked[0]!.offset, asked[1]!.epoch], ["e", 497, "older"]);
  await socket.push(message(501));
  await socket.push({
    op: "ok",
    id: asked[0]!.id,
    room: "a",
    ...at(501),
    data: { messages: [498, 499].map((n) => ({ offset: n, data: n })), more: true },
  });
  const more = socket.take("history");
  assert.equal(more.offset, 499);
  await socket.push({ op: "ok", id: more.id, room: "a", ...at(501), data: { messages: [500, 501].map((n) => ({ offset: n, data: n })) } });
  await socket.push({ op: "error", id: asked[1]!.id, code: "gone" }, message(502));
  assert.deepEqual(one.got, [501, 502]);
  assert.deepEqual(two.got, [498, 499, 500, 501, 502]);
  assert.deepEqual(three.got, ["gap to e:500", 501, 502]);
});

test("a tab that asks for the newest messages gets them", async () => {
  const one = reader("a", {}, { history: 2 });
  const { socket } = await greeted();
  await settle();
  assert.equal(socket.frames[0]!.history, 2);
  await joined(socket, 8);
  await socket.push(message(9), message(10));
  const two = reader("a", {}, { history: 2 });
  await settle();
  const { id, limit, reverse } = socket.take("history");
  assert.deepEqual([limit, reverse], [2, true]);
  await socket.push({ op: "ok", id, room: "a", ...at(10), data: { messages: [10, 9].map((n) => ({ offset: n, data: n })), more: true } });
  await socket.push(message(11));
  assert.deepEqual(
    [one.got, two.got],
    [
      [9, 10, 11],
      [9, 10, 11],
    ],
  );
});

test("a gap of the relay is none for a tab that was ahead of it", async () => {
  const one = reader("a", {}, { position: at(1) });
  const two = reader("a", {}, { position: at(90) });
  const { socket, hello } = await greeted();
  assert.deepEqual(hello.resume, [{ room: "a", ...at(1) }]);
  await socket.push({ op: "ok", room: "a", ...at(1) }, { op: "gap", room: "a", ...at(100) });
  const { id, offset } = socket.take("history");
  assert.equal(offset, 90);
  await socket.push(message(101));
  const messages = Array.from({ length: 11 }, (_, n) => ({ offset: 91 + n, data: 91 + n }));
  await socket.push({ op: "ok", id, room: "a", ...at(101), data: { messages } });
  assert.deepEqual(one.got, ["gap to e:100", 101]);
  assert.deepEqual(
    two.got,
    messages.map(({ data }) => data),
  );
});

test("a room is left when the last tab leaves it, and a refusal is for the tab that asked", async () => {
  const [one, two] = [reader("a"), reader("a")];
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", ...at(1) });
  one.room.leave();
  await settle();
  socket.quiet();
  await socket.push(message(2));
  two.room.leave();
  await settle();
  assert.equal(socket.take("leave").room, "a");
  assert.deepEqual([one.got, two.got], [[], [2]]);
  const closed = reader("b");
  await settle();
  const { id } = socket.take("join");
  await socket.push({ op: "error", id, room: "b", code: "forbidden" });
  assert.deepEqual(closed.got, ["error: forbidden"]);
  socket.take("leave"); // in case the server changes its mind
  const open = reader("b");
  await settle();
  await socket.push({ op: "ok", id: socket.take("join").id, room: "b" });
  assert.equal(open.room.status, "joined");
  await socket.push({ op: "left", room: "b", code: "removed" });
  assert.deepEqual(open.got, ["left: removed"]);
});

test("rooms that the server joins are joined in all tabs", async () => {
  const rooms: string[] = [];
  const got: unknown[] = [];
  const options = {
    onServerJoin: (room: Room) => {
      rooms.push(room.name);
      room.on({ onMessage: (m) => got.push(m.data), onPresence: (e) => got.push(e.type) });
    },
  };
  open(options);
  const { socket } = await greeted();
  await socket.push({ op: "joined", room: "user:7", ...at(1) });
  open(options);
  await settle();
  assert.deepEqual(rooms, ["user:7", "user:7"]);
  await socket.push(
    { op: "message", room: "user:7", ...at(2), data: 2 },
    { op: "join", room: "user:7", data: { conn: "c2" } },
    { op: "presence", room: "user:7", data: { count: 9 }, spread_ms: 5 },
  );
  assert.deepEqual(got, [2, 2, "join", "join", "changed", "changed"]);
  await socket.end(4000, '{"retry_after_ms":1}');
  await clock.pass(2);
  const next = await greeted();
  assert.deepEqual(next.hello.resume, [{ room: "user:7", ...at(2), joined: true }]);
  await next.socket.push({ op: "joined", room: "user:7", ...at(2) }, { op: "message", room: "user:7", ...at(3), data: 3 });
  assert.deepEqual(got.slice(6), [3, 3]);
  assert.equal(rooms.length, 2);
});

test("tokens are those of the tabs", async () => {
  let asked: string[] = [];
  const tokens = (name: string, answers: boolean) => () => {
    asked.push(name);
    return answers || asked.length < 3 ? name : new Promise<string>(() => {});
  };
  open({ token: tokens("one", true) });
  await settle();
  open({ token: tokens("two", false) });
  const { socket, hello } = await greeted({ expires_ms: 600_000 });
  assert.equal(hello.token, "one");
  assert.deepEqual(asked, ["one", "two"]);
  asked = ["", "", ""];
  await socket.push({ op: "refresh", expires_ms: 30_000 });
  await clock.pass(5000); // tab two may not answer
  const token = socket.take("token");
  assert.equal(token.token, "one");
  await socket.push({ op: "ok", id: token.id });
  assert.ok(asked.includes("one"));
});

test("a tab that is gone is noticed, and so is the last one", async () => {
  const one = reader("a");
  const two = reader("b");
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a" }, { op: "ok", room: "b" });
  two.hub.close();
  await settle();
  await clock.pass(5000);
  assert.equal(socket.take("leave").room, "b");
  one.hub.close();
  await settle();
  assert.equal(socket.closedWith, 1000);
});

test("a tab that does not read is let go, and comes back where it was", async () => {
  const one = reader("a");
  await settle();
  const two = reader("a");
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", ...at(0) });
  const frozen = Channel.all[1]!;
  frozen.freeze();
  const all = Array.from({ length: 1100 }, (_, n) => message(n + 1));
  for (let n = 0; n < all.length; n += 100) await socket.push(...all.slice(n, n + 100));
  assert.equal(one.got.length, 1100);
  frozen.thaw();
  await settle();
  assert.equal(two.hub.state.status, "waiting");
  await clock.pass(2000);
  await settle();
  for (
    let asked = socket.frames.find((f: Json) => f.op === "history");
    asked;
    asked = socket.frames.find((f: Json) => f.op === "history")
  ) {
    socket.frames.splice(socket.frames.indexOf(asked), 1);
    const from = asked.offset as number;
    const messages = all.slice(from, from + 1000).map(({ offset, data }) => ({ offset, data }));
    await socket.push({ op: "ok", id: asked.id, room: "a", ...at(1100), data: { messages } });
  }
  assert.deepEqual(two.got, one.got);
});

for (const how of ["broken", "silent"] as const) {
  test(`a worker that is ${how} is done without`, async () => {
    FakeWorker[how] = true;
    const { hub } = reader("a", { worker: undefined });
    await clock.pass(how === "broken" ? 10 : 10_100);
    await greeted();
    assert.equal(hub.state.status, "open");
    assert.equal(FakeWorker.made.length, how === "broken" ? 1 : 2);
  });
}

test("a browser without locks gives each tab a connection of its own", async () => {
  const { locks } = navigator;
  Object.assign(navigator, { locks: undefined });
  try {
    open();
    open();
    await dialed();
    await dialed();
  } finally {
    Object.assign(navigator, { locks });
  }
});
