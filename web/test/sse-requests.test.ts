// What a client of event streams sends: publications, calls and tokens. And how it is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type HubError, type State } from "../src/index.js";
import { clock, start } from "./setup.js";
import { asked, follow, quiet } from "./streams.js";
import { sse } from "../src/sse.js";

const GATHER = 5;

/** A client whose stream is open. */
async function opened(...[options, more]: Parameters<typeof follow>) {
  const hub = follow(options, more);
  const stream = await asked();
  await stream.welcome();
  return { hub, stream };
}

/** Notes how a promise ends. */
function outcome(promise: Promise<unknown>): { value?: unknown } {
  const o: { value?: unknown } = {};
  promise.then(
    (value) => (o.value = value),
    (error: unknown) => (o.value = (error as HubError).code),
  );
  return o;
}

test("a publication is a POST with all that it carries", async () => {
  const { hub } = await opened({ token: () => "t1" });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const o = outcome(hub.publish("a b", { text: "hi" }, { key: 'k "ä\\ ', tags: { x: "1" }, echo: false, traceparent, tracestate: "a=b" }));
  const p = await asked("POST");
  assert.equal(p.body, '{"text":"hi"}');
  assert.deepEqual(
    ["room", "tags", "echo", "session", "method"].map((name) => p.param(name)),
    ["a b", '{"x":"1"}', "false", "s1", null],
  );
  assert.deepEqual(
    ["Content-Type", "Authorization", "Idempotency-Key", "traceparent", "tracestate"].map((name) => p.headers.get(name)),
    ["application/json", "Bearer t1", '"k \\"\xc3\xa4\\\\ "', traceparent, "a=b"],
  );
  await p.answer(200, { op: "ok", room: "a b", epoch: "e", offset: 4 });
  assert.deepEqual(o.value, { epoch: "e", offset: 4 });
  const plain = outcome(hub.publish("a", null));
  const q = await asked("POST");
  assert.deepEqual([q.body, q.param("tags"), q.param("echo"), q.headers.get("traceparent")], ["null", null, null, null]);
  assert.ok(q.headers.get("Idempotency-Key"));
  await q.answer(200, { op: "ok", room: "a" });
  assert.ok("value" in plain);
});

test("POSTs go one after the other, in order", async () => {
  const { hub } = await opened();
  const results = [1, 2, 3].map((n) => outcome(hub.publish("a", n)));
  for (const n of [1, 2, 3]) {
    const p = await asked("POST");
    assert.equal(p.body, "" + n);
    await quiet();
    await p.answer(200, { op: "ok", room: "a", epoch: "e", offset: n });
    assert.deepEqual(results[n - 1]!.value, { epoch: "e", offset: n });
  }
});

test("calls are POSTs, and their errors are the application's", async () => {
  const { hub } = await opened();
  const sum = outcome(hub.call("sum", [1, 2]));
  const p = await asked("POST");
  assert.deepEqual([p.param("method"), p.param("room"), p.body, p.headers.get("Idempotency-Key")], ["sum", null, "[1,2]", null]);
  await clock.pass(20_000); // a call takes as long as it takes
  assert.ok(!p.aborted);
  await p.answer(200, { op: "ok", data: 3 });
  assert.equal(sum.value, 3);
  for (const [status, code] of [
    [400, "too_few"],
    [404, "unknown_method"],
    [429, "rate_limited"],
    [503, "unavailable"],
  ] as const) {
    const o = outcome(hub.call("sum"));
    await clock.pass(100); // after rate_limited the client is slower
    const p = await asked("POST");
    assert.equal(p.body, "null");
    await p.answer(status, { op: "error", code, retry_after_ms: 1000 });
    assert.equal(o.value, code);
  }
  assert.equal(hub.state.status, "open");
});

test("what needs a WebSocket fails with unknown_op, at once", async () => {
  const { hub } = await opened();
  const room = hub.subscribe("a");
  await clock.pass(GATHER);
  await (await asked()).welcome(0);
  for (const promise of [room.presence(), room.history(), hub.send(1), hub.publish("a", undefined, { bin: "AP8=" })])
    await assert.rejects(promise, { code: "unknown_op", message: "this needs a WebSocket" });
  await quiet();
  assert.equal(hub.state.status, "open");
});

test("without an address for POSTs there are none", async () => {
  const { hub } = await opened({}, { post: undefined as never });
  await assert.rejects(hub.publish("a", 1), { code: "unknown_op" });
  await assert.rejects(hub.call("m"), { code: "unknown_op" });
  await quiet();
});

test("a publication that is not answered is sent again, with its key, before those after it", async () => {
  const ways = {
    "the network breaks": (p: Awaited<ReturnType<typeof asked>>) => p.lose(),
    "the answer is none": (p: Awaited<ReturnType<typeof asked>>) => p.answer(502, "<html>"),
    "no answer in 10 s": async (p: Awaited<ReturnType<typeof asked>>) => {
      await clock.pass(9_999);
      assert.ok(!p.aborted);
      await clock.pass(1);
      assert.ok(p.aborted);
    },
    "the server is full": (p: Awaited<ReturnType<typeof asked>>) => p.answer(503, { op: "error", code: "busy", retry_after_ms: 500 }),
  };
  for (const [way, fail] of Object.entries(ways)) {
    const { hub, stream } = await opened();
    const [first, second] = [outcome(hub.publish("a", 1)), outcome(hub.publish("a", 2))];
    const p = await asked("POST");
    await fail(p);
    assert.equal(hub.state.status, "waiting", way);
    assert.ok(stream.aborted);
    await quiet();
    await clock.pass(2_000);
    await (await asked()).welcome();
    const again = await asked("POST");
    assert.deepEqual([again.body, again.headers.get("Idempotency-Key")], ["1", p.headers.get("Idempotency-Key")]);
    await again.answer(200, { op: "ok", room: "a", epoch: "e", offset: 1 });
    const next = await asked("POST");
    assert.equal(next.body, "2");
    await next.answer(200, { op: "ok", room: "a", epoch: "e", offset: 2 });
    assert.deepEqual(
      [first.value, second.value],
      [
        { epoch: "e", offset: 1 },
        { epoch: "e", offset: 2 },
      ],
    );
    hub.close();
  }
});

test("a call whose answer is lost fails: whether it ran is unknown", async () => {
  const { hub } = await opened();
  const o = outcome(hub.call("m"));
  await (await asked("POST")).lose();
  assert.equal(o.value, "disconnected");
  await clock.pass(2_000);
  await (await asked()).welcome();
  await quiet();
});

test("a publication over the rate waits its time, and those behind it", async () => {
  const { hub } = await opened();
  const [first, second] = [outcome(hub.publish("a", 1)), outcome(hub.publish("a", 2))];
  const p = await asked("POST");
  await p.answer(429, { op: "error", code: "rate_limited", retry_after_ms: 3000 });
  await clock.pass(2_999);
  await quiet();
  await clock.pass(1);
  const again = await asked("POST");
  assert.equal(again.headers.get("Idempotency-Key"), p.headers.get("Idempotency-Key"));
  await again.answer(200, { op: "ok", room: "a" });
  await (await asked("POST")).answer(200, { op: "ok", room: "a" });
  assert.ok("value" in first && "value" in second);
  // One that the application refuses for the room, or for very long, is refused.
  for (const more of [{ room: "a", retry_after_ms: 3000 }, { retry_after_ms: 240_000 }]) {
    const o = outcome(hub.publish("a", 3, { timeout: 1000 }));
    await (await asked("POST")).answer(429, { op: "error", code: "rate_limited", ...more });
    await clock.pass(1000);
    assert.ok("value" in o, JSON.stringify(more));
    await quiet();
  }
});

test("a token is renewed by a new stream, and is that of later POSTs", async () => {
  let n = 0;
  const hub = follow({ token: () => "t" + ++n });
  hub.subscribe("a");
  const first = await asked();
  assert.equal(first.headers.get("Authorization"), "Bearer t1");
  await first.welcome(1, { expires_ms: 600_000 });
  for (let quarter = 0; quarter < 22; quarter++) {
    await clock.pass(24_000);
    await first.write(":\n\n");
  }
  await clock.pass(600_000 - 60_000 - 22 * 24_000 - 1);
  await quiet();
  await clock.pass(1 + GATHER);
  const second = await asked();
  assert.equal(second.headers.get("Authorization"), "Bearer t2");
  assert.deepEqual([second.rooms, second.param("last_event_id")], [["a"], "1,a=e.1"]);
  await second.welcome(1, { expires_ms: 8_000 });
  const o = outcome(hub.publish("a", 1));
  const p = await asked("POST");
  assert.equal(p.headers.get("Authorization"), "Bearer t2");
  await p.answer(200, { op: "ok", room: "a" });
  assert.ok("value" in o);
  await clock.pass(6_000 + GATHER); // a quarter ahead, as the answer to the second said
  const third = await asked();
  assert.equal(third.headers.get("Authorization"), "Bearer t3");
  await third.welcome(1);
  await third.event({ op: "refresh", expires_ms: 1000 }); // and when the server asks
  await clock.pass(GATHER);
  assert.equal((await asked()).headers.get("Authorization"), "Bearer t4");
  assert.equal(hub.state.status, "open");
});

test("a new token that is refused costs the connection, which comes back with another", async () => {
  let n = 0;
  const { hub, stream } = await opened({ token: () => "t" + ++n });
  await stream.event({ op: "refresh" });
  await clock.pass(GATHER);
  await (await asked()).answer(401, { op: "error", code: "unauthorized", message: "old" });
  assert.ok(hub.state.status === "waiting");
  assert.equal(hub.state.error.closeCode, 4009);
  await clock.pass(2_000);
  const next = await asked();
  assert.equal(next.headers.get("Authorization"), "Bearer t3");
  await next.welcome();
});

test("a stream that is refused for good closes the hub with its reason", async () => {
  for (const [status, closeCode] of [
    [401, 4100],
    [403, 4101],
    [400, 4103],
    [404, 4103],
  ] as const) {
    for (const body of [{ op: "error", code: "x", message: "the reason" }, "<html>"]) {
      const hub = follow();
      await (await asked()).answer(status, body);
      assert.ok(hub.state.status === "closed", "" + status);
      assert.equal(hub.state.error?.closeCode, closeCode);
      assert.equal(hub.state.error.message, typeof body === "string" ? "close code " + closeCode : "the reason");
      await quiet();
    }
  }
});

test("a stream that is refused for now comes back when the server says", async () => {
  const waits = async (refuse: (s: Awaited<ReturnType<typeof asked>>) => Promise<void>, least: number, most: number, reason: string) => {
    const hub = follow();
    await refuse(await asked());
    const state = hub.state as State & { status: "waiting" };
    assert.equal(state.status, "waiting");
    assert.deepEqual([state.error.closeCode, state.error.message], [1013, reason]);
    const wait = state.until - clock.now;
    assert.ok(wait >= least && wait <= most, `waits ${wait}`);
    await clock.pass(wait);
    await (await asked()).welcome();
    hub.close();
  };
  await waits((s) => s.answer(503, { op: "error", message: "full" }, { "Retry-After": "8" }), 8_000, 12_000, "full");
  await waits((s) => s.answer(503, "", { "Retry-After": "1" }), 1_000, 2_000, "close code 1013");
  await waits((s) => s.answer(500, "oh"), 0, 2_000, "close code 1013");
  // This is how a hub refuses one that takes events.
  const close = { code: 1013, reason: "too many connections", retry_after_ms: 5000, spread_ms: 1000 };
  await waits((s) => s.open().then(() => s.close(close)), 5_000, 6_000, "too many connections");
});

test("a stream that the server closes ends as a WebSocket would", async () => {
  for (const [code, status] of [
    [1012, "waiting"],
    [4001, "waiting"],
    [4009, "waiting"],
    [4101, "closed"],
    [4102, "closed"],
  ] as const) {
    const { hub, stream } = await opened();
    await stream.close({ code, reason: "because", retry_after_ms: 2000, spread_ms: 0 });
    assert.ok(hub.state.status === status && hub.state.error, `${code}: ${hub.state.status}`);
    assert.deepEqual([hub.state.error.closeCode, hub.state.error.message], [code, "because"]);
    hub.close();
  }
});

test("a stream that is not answered is given up: the first after 10 s, and one that follows another too", async () => {
  const hub = start({ WebSocket: sse({ events: "http://example.com/events", WebSocket: false }) });
  const first = await asked();
  await clock.pass(9_999);
  assert.match(hub.state.status, /^connecting$/);
  await clock.pass(1);
  assert.match(hub.state.status, /^waiting$/);
  assert.ok(first.aborted);
  await clock.pass(2_000);
  await (await asked()).welcome();
  hub.subscribe("a");
  await clock.pass(GATHER);
  const second = await asked();
  await second.open();
  await clock.pass(9_999);
  assert.match(hub.state.status, /^open$/);
  await clock.pass(1);
  assert.match(hub.state.status, /^waiting$/);
  assert.ok(second.aborted);
});
