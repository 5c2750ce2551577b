// A page that is hidden, frozen, kept in the back/forward cache, or without a network.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { settle } from "./clock.js";
import { dialed, greeted, Socket } from "./server.js";
import { clock, start } from "./setup.js";

const page = Object.assign(new EventTarget(), { hidden: false });
const win = new EventTarget();
const globals = globalThis as unknown as Record<string, unknown>;

before(() => {
  globals.document = page;
  globals.window = globalThis;
  globals.addEventListener = win.addEventListener.bind(win);
  globals.location = { href: "https://example.com/app?x#y" };
});

after(() => {
  for (const name of ["document", "window", "addEventListener", "location"]) Reflect.deleteProperty(globals, name);
});

function show(hidden: boolean): void {
  page.hidden = hidden;
  page.dispatchEvent(new Event("visibilitychange"));
}

test("an address is relative to the page", async () => {
  const { connect } = await import("../src/index.js");
  for (const [url, want] of [
    ["/ws", "wss://example.com/ws"],
    ["ws?a=1#b", "wss://example.com/ws?a=1"],
    ["http://other:8080/", "ws://other:8080/"],
  ] as const) {
    connect(url, { WebSocket: Socket }).close();
    assert.equal(Socket.all.shift()!.url, want);
  }
});

test("a page that comes back from the back/forward cache goes on where it was", async () => {
  const hub = start();
  const got: unknown[] = [];
  hub.subscribe("a", { onMessage: (m) => got.push(m.data) });
  const first = await greeted();
  await first.socket.push({ op: "ok", room: "a", epoch: "e", offset: 1 });
  const lost = assert.rejects(hub.publish("a", "sent", { key: "k" }), { code: "disconnected" });
  await settle();
  first.socket.take("publish");
  win.dispatchEvent(new Event("pagehide"));
  assert.equal(first.socket.closedWith, 1000);
  await clock.pass(3_600_000);
  assert.equal(Socket.all.length, 0, "connected in the cache");
  page.hidden = true; // as a page is whose tab is not looked at
  win.dispatchEvent(new Event("pageshow"));
  page.hidden = false;
  // The first pageshow of a page, and a second one, do no harm.
  win.dispatchEvent(new Event("pageshow"));
  const next = await greeted();
  assert.equal(Socket.all.length, 0);
  assert.deepEqual(next.hello.resume, [{ room: "a", epoch: "e", offset: 1 }]);
  await next.socket.push({ op: "ok", room: "a", epoch: "e", offset: 1 }, { op: "message", room: "a", epoch: "e", offset: 2, data: 2 });
  assert.deepEqual(got, [2]);
  await lost; // an hour later nobody knows
});

test("what was sent just before is sent again when the page comes back soon", async () => {
  const hub = start();
  const { socket } = await greeted();
  const sent = hub.publish("a", "x", { key: "k" });
  await settle();
  win.dispatchEvent(new Event("pagehide"));
  win.dispatchEvent(new Event("pageshow"));
  const next = await greeted();
  assert.equal(socket.frames[0]!.key, "k");
  const again = next.socket.take("publish");
  assert.equal(again.key, "k");
  await next.socket.push({ op: "ok", id: again.id });
  await sent;
});

test("a page that is shown asks the server at once", async () => {
  const hub = start();
  const { socket } = await greeted();
  show(true);
  socket.quiet();
  show(false);
  assert.equal(socket.take().op, "ping");
  await socket.push({ op: "ok", id: 1 });
  await clock.pass(10_000);
  assert.equal(hub.state.status, "open");
  show(false);
  socket.take("ping");
  await clock.pass(5000);
  assert.equal(hub.state.status, "waiting");
});

test("a page that thaws asks the server, and takes its time for the answer", async () => {
  const hub = start();
  const { socket } = await greeted();
  await clock.pass(22_500);
  socket.take("ping");
  page.dispatchEvent(new Event("freeze"));
  clock.now += 3_600_000;
  page.dispatchEvent(new Event("resume"));
  assert.equal(socket.take().op, "ping");
  await clock.pass(4999);
  await socket.push({ op: "ok", id: 1 });
  await clock.pass(10_000);
  assert.equal(hub.state.status, "open");
});

test("an attempt that is overdue is made when the page is shown", async () => {
  const hub = start();
  const { socket } = await greeted();
  await socket.end(4000, '{"retry_after_ms":60000}');
  show(true);
  clock.now += 30_000;
  show(false);
  assert.equal(Socket.all.length, 0);
  show(true);
  clock.now += 30_000; // the timer is throttled
  show(false);
  await greeted();
  assert.equal(hub.state.status, "open");
});

test("a network that is back is tried within two seconds, unless the server has named a time", async () => {
  const hub = start();
  for (let n = 0; n < 6; n++) {
    await (await dialed()).end();
    hub.open();
  }
  await (await dialed()).end();
  win.dispatchEvent(new Event("offline"));
  assert.ok(hub.state.status === "waiting");
  win.dispatchEvent(new Event("online"));
  await clock.pass(2000);
  const { socket } = await greeted();
  await socket.end(1013, '{"retry_after_ms":50000}');
  win.dispatchEvent(new Event("online"));
  await clock.pass(49_999);
  assert.equal(Socket.all.length, 0);
  await clock.pass(1);
  await greeted();
});

test("an open connection is asked when the network goes and comes", async () => {
  const hub = start();
  const { socket } = await greeted();
  for (const type of ["offline", "online"]) {
    win.dispatchEvent(new Event(type));
    assert.equal(socket.take().op, "ping");
    await socket.push({ op: "ok", id: 1 });
  }
  assert.equal(hub.state.status, "open");
});

test("a closed hub and an idle one stay as they are", async () => {
  const hub = start({ lazy: true });
  for (const type of ["pagehide", "pageshow", "online", "offline"]) win.dispatchEvent(new Event(type));
  assert.equal(hub.state.status, "idle");
  hub.open();
  hub.close();
  await settle();
  Socket.all = [];
  for (const type of ["pagehide", "pageshow", "online", "offline"]) win.dispatchEvent(new Event(type));
  show(false);
  await clock.pass(100_000);
  assert.equal(hub.state.status, "closed");
  assert.equal(Socket.all.length, 0);
});
