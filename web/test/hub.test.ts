import assert from "node:assert/strict";
import { test } from "node:test";
import { HubError, type Message, type State } from "../src/index.js";
import { settle } from "./clock.js";
import { dialed, greeted, type Json, Socket } from "./server.js";
import { clock, start } from "./setup.js";

const statuses = (list: State[]) => list.map((s) => s.status);

test("states, from idle to closed", async () => {
  const states: State[] = [];
  const h = start({ lazy: true, onState: (s) => states.push(s) });
  assert.equal(h.state.status, "idle");
  h.open();
  h.open(); // does nothing more
  const { socket } = await greeted({ data: { motd: "hi" } });
  assert.deepEqual(h.state, { status: "open", conn: "c1", node: "n1", data: { motd: "hi" } });
  await socket.push({ op: "stale" }, { op: "live" });
  await socket.end(1006);
  assert.equal(h.state.status, "waiting");
  h.close();
  assert.deepEqual(statuses(states), ["connecting", "open", "stale", "open", "waiting", "closed"]);
  await assert.rejects(h.call("x"), { code: "closed" });
});

test("close sends 1000, and open goes on in all rooms", async () => {
  const h = start();
  h.subscribe("a");
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", epoch: "e", offset: 4 });
  h.close();
  assert.equal(socket.closedWith, 1000);
  h.open();
  const { hello } = await greeted();
  assert.deepEqual(hello.resume, [{ room: "a", epoch: "e", offset: 4 }]);
  assert.equal(hello.session, "s1");
});

test("a wait is over at its time, and open cuts it short", async () => {
  const h = start();
  for (let n = 0; n < 6; n++) {
    await (await dialed()).end(1006);
    assert.ok(h.state.status === "waiting");
    const wait = h.state.until - clock.now;
    assert.ok(wait >= 0 && wait <= [2000, 1000, 2000, 4000, 8000, 16000][n]!, `wait ${n} is ${wait}`);
    if (wait > 1) {
      await clock.pass(wait - 1);
      assert.equal(Socket.all.length, 0);
    }
    if (n % 2) h.open();
    else await clock.pass(2);
  }
});

test("a token is fetched for every attempt; its failure is a failed attempt, its refusal is final", async () => {
  let n = 0;
  const states: State[] = [];
  const h = start({
    onState: (s) => states.push(s),
    token: async ({ signal }) => {
      assert.ok(!signal.aborted);
      if (++n === 2) throw new Error("no network");
      if (n === 4) throw new HubError("unauthorized", "logged out");
      return "t" + n;
    },
  });
  const first = await greeted();
  assert.equal(first.hello.token, "t1");
  await first.socket.end();
  await clock.pass(3000);
  assert.ok(states.some((s) => s.status === "waiting" && /no network/.test(s.error.message)));
  const third = await greeted();
  assert.equal(third.hello.token, "t3");
  await third.socket.end(4009);
  await clock.pass(10000);
  assert.ok(h.state.status === "closed" && h.state.error?.code === "unauthorized");
});

test("a handshake that does not end is given up after 10 s", async () => {
  const h = start();
  const socket = await dialed();
  await clock.pass(9999);
  assert.equal(h.state.status, "connecting");
  await clock.pass(1);
  assert.equal(h.state.status, "waiting");
  assert.ok(socket.ended);
});

test("a server that chooses no subprotocol is not talked to", async () => {
  Socket.chooses = "";
  const h = start();
  const socket = await dialed();
  await socket.open();
  socket.quiet();
  assert.equal(h.state.status, "waiting");
});

test("a frame that cannot be read ends the connection", async () => {
  for (const frame of ["{", "null", '{"op":"gap","room":"a","epoch":"e"', "\ud800"]) {
    const h = start();
    const { socket } = await greeted();
    await socket.push(frame);
    assert.equal(h.state.status, "waiting", frame);
    h.close();
  }
});

test("frames of no sense to anybody are passed over", async () => {
  const h = start({ onError: () => {} });
  h.subscribe("a", { onError: () => {} });
  const { socket } = await greeted();
  await socket.push("7", '"x"', "[]", "{}", { op: "new" }, { op: "ok", id: 99 }, { op: "error", id: 99 }, { op: "message", room: "b" });
  await socket.push({ op: "ok", room: "b" }, { op: "left", room: "b" }, { op: "welcome" }, { op: "error" }, { op: "refresh" });
  assert.equal(h.state.status, "open");
});

test("a silent server is pinged, and given up when it does not answer", async () => {
  const h = start();
  const { socket } = await greeted({ ping_ms: 20000 });
  await clock.pass(17999);
  socket.quiet();
  await clock.pass(1);
  assert.deepEqual(socket.take(), { op: "ping", id: 1 });
  await socket.push({ op: "ok", id: 1 });
  await clock.pass(10000);
  await socket.push({ op: "new" });
  await clock.pass(17999);
  socket.quiet();
  await clock.pass(1);
  socket.take("ping");
  await clock.pass(9999);
  assert.ok(!socket.ended);
  await clock.pass(1);
  assert.ok(h.state.status === "waiting" && socket.ended);
});

test("timers that fire late prove nothing: a frozen or throttled page keeps its connection", async () => {
  const h = start();
  const { socket } = await greeted();
  await clock.pass(22500);
  socket.take("ping");
  await clock.freeze(600_000); // the answer waits behind the timer
  assert.equal(h.state.status, "open");
  await socket.push({ op: "ok", id: 1 });
  await clock.pass(10000);
  assert.equal(h.state.status, "open");
  await clock.pass(22500);
  socket.take("ping");
  await clock.freeze(60_000);
  await clock.pass(10_000); // this time there is no answer
  assert.equal(h.state.status, "waiting");
});

test("a call has an answer, an error, a timeout and a signal", async () => {
  const h = start({ timeout: 5000 });
  const { socket } = await greeted();
  const good = h.call<{ url: string }>("thumb", { image: 7 });
  const bad = h.call("bad");
  const slow = h.call("slow");
  const quick = h.call("quick", null, { timeout: 100 });
  const stopped = new AbortController();
  const given = h.call("given", undefined, { signal: stopped.signal });
  await settle();
  const ids = ["thumb", "bad", "slow", "quick", "given"].map((method) => {
    const { id, ...frame } = socket.take("call");
    assert.equal(frame.method, method);
    return id;
  });
  const refused = assert.rejects(bad, (e: HubError) => e.code === "busy" && e.retryAfter === 70 && e.message === "later");
  await socket.push({ op: "error", id: ids[1], code: "busy", message: "later", retry_after_ms: 70 });
  await refused;
  await socket.push({ op: "ok", id: ids[0], data: { url: "/t/7" } });
  assert.deepEqual(await good, { url: "/t/7" });
  const enough = assert.rejects(given, /enough/);
  stopped.abort(new Error("enough"));
  await enough;
  await assert.rejects(h.call("x", 1, { signal: stopped.signal }), /enough/);
  const checks = [assert.rejects(quick, { code: "timeout" }), assert.rejects(slow, { code: "timeout" })];
  await clock.pass(5000);
  await Promise.all(checks);
  await socket.push({ op: "ok", id: ids[2] }); // too late for anybody
});

test("what was not sent is withdrawn by its signal", async () => {
  const h = start();
  const stop = new AbortController();
  const a = assert.rejects(h.publish("a", 1, { signal: stop.signal }), { name: "AbortError" });
  const b = h.publish("a", 2);
  await settle();
  stop.abort();
  await a;
  const { socket } = await greeted();
  assert.equal(socket.take("publish").data, 2);
  socket.quiet();
  h.close();
  await assert.rejects(b, { code: "closed" });
});

test("the queue is bounded, in number and in bytes", async () => {
  const h = start({ queue: 2, queueBytes: 500 });
  const waiting = [h.publish("a", 1), h.publish("a", 2)];
  await assert.rejects(h.publish("a", 3), { code: "queue_full" });
  const { socket } = await greeted();
  for (const p of waiting) {
    await socket.push({ op: "ok", id: socket.take("publish").id });
    await p;
  }
  await assert.rejects(h.publish("a", "x".repeat(500)), { code: "queue_full" });
});

test("a publication is not sent again after the retry window", async () => {
  const h = start({ retryWindow: 60_000 });
  const { socket } = await greeted();
  const p = h.publish("a", 1);
  const rejected = assert.rejects(p, { code: "disconnected" });
  await settle();
  socket.take("publish");
  await socket.end(1013, '{"retry_after_ms":60001}');
  await clock.pass(60_001);
  const next = await greeted();
  next.socket.quiet();
  await rejected;
});

test("the welcome's rate is kept to", async () => {
  const h = start();
  const { socket } = await greeted({ limits: { rate: 10, burst: 20 } });
  socket.answers = true;
  const all = Promise.allSettled(Array.from({ length: 50 }, (_, i) => h.publish("a", i)));
  await settle();
  // The hello is one of eighteen.
  assert.equal(socket.frames.length, 17);
  await clock.pass(1000);
  assert.equal(socket.frames.length, 26);
  await clock.pass(3000);
  assert.equal(socket.frames.length, 50);
  assert.deepEqual(
    socket.frames.map((f) => f.data),
    Array.from({ length: 50 }, (_, i) => i),
  );
  h.close();
  await all;
});

test("the welcome's byte rate is kept to", async () => {
  const h = start();
  const { socket } = await greeted({ limits: { byte_rate: 1000, byte_burst: 2000 } });
  socket.answers = true;
  const all = Promise.allSettled([1, 2, 3].map((n) => h.publish("a", n + "x".repeat(1200))));
  await settle();
  assert.equal(socket.frames.length, 1);
  await clock.pass(3000);
  assert.equal(socket.frames.length, 3);
  h.close();
  await all;
});

for (const [what, limits, rate, burst, cost] of [
  ["messages", { rate: 20, burst: 40 }, 20, 40, () => 1],
  ["bytes", { byte_rate: 2000, byte_burst: 4000 }, 2000, 4000, (frame: Json) => JSON.stringify(frame).length + 6],
] as [string, Json, number, number, (frame: Json) => number][])
  test(`a server that stalls again and again refuses nothing for the rate: ${what}`, async () => {
    const h = start();
    const { socket } = await greeted({ limits });
    const all = Promise.all(Array.from({ length: 300 }, (_, i) => h.publish("a", i)));
    let tokens = burst - 1;
    for (let n = 0; n < 300;) {
      await clock.pass(9000); // a ping's answer would be due after 10 s
      await socket.push({ op: "ok", id: 1 });
      tokens = Math.min(burst, tokens + 9 * rate);
      for (const frame of socket.frames.splice(0)) {
        if (frame.op !== "publish") continue;
        tokens -= cost(frame);
        assert.ok(tokens >= 0, `publication ${n} is beyond the rate`);
        assert.equal(frame.data, n++);
        await socket.push({ op: "ok", id: frame.id });
      }
    }
    await all;
    h.close();
  });

test("joins and requests alternate, and what is asked of a room does not overtake its join", async () => {
  const h = start();
  const { socket } = await greeted({ limits: { rate: 1, burst: 1 } });
  socket.answers = true;
  const publications = Promise.allSettled([h.publish("c", 1), h.publish("x", 2), h.publish("x", 3)]);
  for (const room of ["a", "b", "c", "d"]) h.subscribe(room);
  await clock.pass(20_000);
  assert.deepEqual(
    socket.frames.filter((f) => f.op !== "ping").map((f) => `${String(f.op)} ${String(f.room)}`),
    ["join a", "join c", "join b", "publish c", "join d", "publish x", "publish x"],
  );
  h.close();
  await publications;
});

test("a callback that throws disturbs nobody", async (t) => {
  const thrown: unknown[] = [];
  t.mock.method(globalThis, "queueMicrotask", (f: () => void) => {
    try {
      f();
    } catch (error) {
      thrown.push(error);
    }
  });
  const got: unknown[] = [];
  const h = start();
  const room = h.subscribe("a", {
    onMessage() {
      throw new Error("of the application");
    },
  });
  room.on({ onMessage: (m) => got.push(m.data) });
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a" }, { op: "message", room: "a", data: 1 }, { op: "message", room: "a", data: 2 });
  assert.deepEqual(got, [1, 2]);
  assert.equal(thrown.length, 2);
});

test("handlers come and go, and callbacks may use the client", async () => {
  const got: string[] = [];
  const h = start();
  const room = h.subscribe("a", {
    onMessage(m: Message<string>) {
      got.push("first " + m.data);
      if (m.data === "leave") room.leave();
    },
  });
  const off = room.on({ onMessage: (m) => got.push("second " + m.data) });
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a", epoch: "e", offset: 0 });
  const message = (offset: number, data: string) => ({ op: "message", room: "a", epoch: "e", offset, data });
  await socket.push(message(1, "one"));
  off();
  off();
  await socket.push(message(2, "two"), message(3, "leave"), message(4, "late"));
  assert.deepEqual(got, ["first one", "second one", "first two", "first leave"]);
  assert.equal(room.status, "left");
  assert.equal(h.room("a"), undefined);
  socket.take("leave");
});

test("closing in a callback is safe wherever it happens", async () => {
  for (const at of ["connecting", "open", "waiting"]) {
    const h = start({ lazy: true, onState: (s) => s.status === at && h.close() });
    h.subscribe("a");
    h.open();
    await settle();
    const socket = Socket.all.shift();
    if (at !== "connecting") {
      await socket!.open();
      await socket!.push({ op: "welcome" });
      if (at === "waiting") await socket!.end();
    }
    assert.equal(h.state.status, "closed", at);
    await clock.pass(60_000);
    assert.equal(Socket.all.length, 0);
  }
});

test("a room has one subscription, and a valid name and position", async () => {
  const h = start();
  h.subscribe("a");
  assert.throws(() => h.subscribe("a"), TypeError);
  for (const name of ["", "\n", "x".repeat(256), "é".repeat(128)]) assert.throws(() => h.subscribe(name), TypeError);
  for (const position of [
    { epoch: "", offset: 1 },
    { epoch: "e", offset: -1 },
    { epoch: "e", offset: 1.5 },
    { epoch: 7 as never, offset: 1 },
  ]) {
    assert.throws(() => h.subscribe("b", { position }), TypeError);
  }
  assert.equal(h.room("b"), undefined);
});

test("connections that end for one reason, again and again, are slowed down", async () => {
  const h = start();
  for (let n = 1; n <= 8; n++) {
    const { socket } = await greeted();
    await socket.end(4003, '{"retry_after_ms":1}');
    assert.ok(h.state.status === "waiting");
    const wait = h.state.until - clock.now;
    assert.equal(h.state.loop, n);
    if (n < 5) assert.equal(wait, 1);
    else assert.ok(wait >= 2500 << (n - 5) && wait <= 5000 << (n - 5), `wait ${n} is ${wait}`);
    await clock.pass(wait);
  }
  const { socket } = await greeted();
  await clock.pass(10_000);
  await clock.pass(15_000);
  await socket.push({ op: "ok", id: 1 });
  await clock.pass(10_000);
  await socket.end(4003, '{"retry_after_ms":1}');
  assert.ok(h.state.status === "waiting" && h.state.loop === 0);
});

test("goaway waits for answers, and then reconnects", async () => {
  const h = start();
  const { socket } = await greeted();
  const call = h.call("slow");
  await settle();
  const { id } = socket.take("call");
  await socket.push({ op: "goaway", retry_after_ms: 1000, spread_ms: 0 });
  await clock.pass(999);
  const early = h.call("early");
  await settle();
  socket.take("call");
  await clock.pass(1);
  const late = h.publish("a", 1);
  await clock.pass(2000);
  socket.quiet();
  assert.equal(h.state.status, "open");
  await socket.push({ op: "ok", id, data: 1 });
  assert.equal(await call, 1);
  const lost = assert.rejects(early, { code: "disconnected" });
  await clock.pass(3000);
  await lost;
  await clock.pass(0);
  const next = await greeted();
  await next.socket.push({ op: "ok", id: next.socket.take("publish").id });
  await late;
});

test("reconnect drops the connection and makes it anew", async () => {
  const h = start();
  const { socket } = await greeted();
  h.reconnect(500);
  assert.ok(socket.ended && h.state.status === "waiting");
  await clock.pass(500);
  await greeted();
  assert.equal(h.state.status, "open");
});
