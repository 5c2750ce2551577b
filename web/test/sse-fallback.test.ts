// When a stream takes the place of a WebSocket, and for how long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dialed, greeted, Socket } from "./server.js";
import { clock } from "./setup.js";
import { asked, follow, quiet } from "./streams.js";

const SWALLOWED = 4_000;
const BLOCKED = 600_000;

// Lets time pass on a stream, which says that it is there.
async function linger(stream: Awaited<ReturnType<typeof asked>>, ms: number) {
  for (; ms > 0; ms -= 20_000) {
    await clock.pass(Math.min(ms, 20_000));
    await stream.write(":\n\n");
  }
}

test("where a WebSocket gets through, it is one", async () => {
  const h = follow({}, { WebSocket: Socket });
  h.subscribe("a");
  const { socket, hello } = await greeted();
  assert.deepEqual(hello.resume, [{ room: "a" }]);
  assert.deepEqual([socket.url, socket.asked], ["ws://example.com/ws", "hubkit.v1"]);
  await clock.pass(SWALLOWED);
  await socket.push({ op: "ok", room: "a" });
  const sum = h.call("sum");
  await clock.pass(0);
  await socket.push({ op: "ok", id: socket.take("call").id, data: 3 });
  assert.equal(await sum, 3);
  await quiet();
  assert.equal(h.state.status, "open");
  h.close();
  assert.equal(socket.closedWith, 1000);
});

test("a WebSocket that was open and is lost is tried again as one", async () => {
  const h = follow({}, { WebSocket: Socket });
  const { socket } = await greeted();
  await socket.end(1006);
  assert.equal(h.state.status, "waiting");
  await clock.pass(2_000);
  await greeted();
  await quiet();
});

test("a WebSocket that is refused is a stream, in the same attempt", async () => {
  const states: string[] = [];
  const h = follow({ onState: ({ status }) => states.push(status) }, { WebSocket: Socket });
  h.subscribe("a");
  await (await dialed()).end();
  const s = await asked();
  assert.deepEqual(s.rooms, ["a"]);
  await s.welcome();
  assert.deepEqual(states, ["connecting", "open"]);
  assert.equal(h.room("a")!.status, "joined");
  await clock.pass(SWALLOWED);
  await quiet();
  assert.equal(Socket.all.length, 0);
});

test("a WebSocket that is not answered for 4 s is a stream, in the same attempt", async () => {
  const states: string[] = [];
  follow({ onState: ({ status }) => states.push(status) }, { WebSocket: Socket });
  const socket = await dialed();
  await clock.pass(SWALLOWED - 1);
  await quiet();
  assert.ok(!socket.ended);
  await clock.pass(1);
  assert.ok(socket.ended);
  assert.deepEqual([socket.onopen, socket.onmessage, socket.onclose], [null, null, null]);
  assert.equal(typeof socket.onerror, "function"); // the browser may still report one
  await (await asked()).welcome();
  assert.deepEqual(states, ["connecting", "open"]);
});

test("streams are used for ten minutes, and then a WebSocket is tried", async () => {
  const h = follow({}, { WebSocket: Socket });
  await (await dialed()).end();
  const first = await asked();
  await first.welcome();
  await linger(first, BLOCKED - 10_000);
  h.reconnect();
  await clock.pass(0);
  assert.equal(Socket.all.length, 0);
  const second = await asked();
  await clock.pass(1_000);
  await second.welcome(); // the ten minutes begin anew
  await linger(second, BLOCKED - 1);
  h.reconnect();
  await clock.pass(0);
  assert.equal(Socket.all.length, 0);
  const third = await asked();
  await third.welcome();
  await linger(third, BLOCKED);
  assert.equal(h.state.status, "open"); // a stream that works stays
  h.reconnect();
  await clock.pass(0);
  const { socket } = await greeted();
  await quiet();
  await socket.end(1006);
  await clock.pass(2_000);
  assert.equal(Socket.all.length, 1);
});

test("if no stream works either, the next attempt begins with a WebSocket", async () => {
  const h = follow({}, { WebSocket: Socket });
  await (await dialed()).end();
  await (await asked()).lose();
  assert.equal(h.state.status, "waiting");
  await clock.pass(2_000);
  await (await dialed()).end();
  const s = await asked();
  await s.welcome();
  await s.end();
  await clock.pass(2_000);
  assert.equal(Socket.all.length, 0);
  await (await asked()).lose(); // in the ten minutes, without a welcome
  assert.ok("until" in h.state);
  await clock.pass(Math.ceil(h.state.until - clock.now));
  await greeted();
  await quiet();
});

test("a refusal of the stream is one of the attempt", async () => {
  const h = follow({}, { WebSocket: Socket });
  await (await dialed()).end();
  await (await asked()).answer(403, { op: "error", message: "banned" });
  assert.ok(h.state.status === "closed");
  assert.deepEqual([h.state.error?.closeCode, h.state.error?.message], [4101, "banned"]);
});

test("the WebSocket and the stream have 10 s together", async () => {
  const h = follow({}, { WebSocket: Socket });
  await dialed();
  await clock.pass(SWALLOWED);
  const s = await asked();
  await clock.pass(10_000 - SWALLOWED - 1);
  assert.equal(h.state.status, "connecting");
  await clock.pass(1);
  assert.equal(h.state.status, "waiting");
  assert.ok(s.aborted);
});

test("a hub that is closed meanwhile asks for nothing more", async () => {
  const h = follow({}, { WebSocket: Socket });
  const socket = await dialed();
  h.close();
  assert.ok(socket.ended);
  await clock.pass(SWALLOWED);
  await quiet();
});

test("with WebSocket: false, or where there is no class, none is tried", async () => {
  const global = globalThis as { WebSocket?: unknown };
  const was = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  try {
    global.WebSocket = Socket;
    follow();
    await (await asked()).welcome();
    follow({}, { WebSocket: undefined }); // the global one
    await greeted();
    delete global.WebSocket;
    follow({}, { WebSocket: undefined });
    await (await asked()).welcome();
    assert.equal(Socket.all.length, 0);
    await quiet();
  } finally {
    if (was) Object.defineProperty(globalThis, "WebSocket", was);
    else delete global.WebSocket;
  }
});

test("a ticket of the last connection is in the stream's address, and positions go from a WebSocket to a stream", async () => {
  const h = follow({}, { WebSocket: Socket });
  h.subscribe("a");
  const { socket } = await greeted({ ticket: "t1" });
  await socket.push({ op: "ok", room: "a", epoch: "e", offset: 1 }, { op: "message", room: "a", epoch: "e", offset: 2, data: 2 });
  await socket.end(1006);
  await clock.pass(2_000);
  await (await dialed()).end();
  const s = await asked();
  assert.deepEqual(
    ["hubkit_resume", "last_event_id", "session"].map((name) => s.param(name)),
    ["t1", "1,a=e.2", "s1"],
  );
});
