// Event streams in place of a WebSocket: what they follow, and how they are made anew.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HubError, type Message, type State } from "../src/index.js";
import { clock } from "./setup.js";
import { asked, follow, quiet } from "./streams.js";

const GATHER = 5;

const numbers = (list: Message[]) => list.map(({ room, data }) => `${room} ${data as number}`);

test("the first stream follows the rooms that were joined before", async () => {
  const states: State[] = [];
  const h = follow({ onState: (s) => states.push(s) });
  h.subscribe("a");
  h.subscribe("b", { position: { epoch: "e,=%.", offset: 7 } });
  const s = await asked();
  assert.equal(s.headers.get("Accept"), "text/event-stream");
  assert.equal(s.headers.get("Authorization"), null);
  assert.deepEqual(s.rooms, ["a", "b"]);
  assert.equal(s.param("last_event_id"), "1,b=e%2C%3D%25%2E.7");
  for (const name of ["history", "session", "hubkit_resume"]) assert.equal(s.param(name), null);
  await s.welcome(undefined, { data: 1 });
  assert.deepEqual(h.state, { status: "open", conn: "c1", node: "n1", data: 1 });
  assert.deepEqual([h.room("a")!.status, h.room("b")!.status], ["joined", "joined"]);
  assert.deepEqual(
    states.map(({ status }) => status),
    ["connecting", "open"],
  );
  h.close();
  assert.ok(s.aborted);
  await quiet();
});

test("joins and leaves that come together are one new stream, which goes on where the other was", async () => {
  const h = follow();
  const got: Message[] = [];
  const onMessage = (m: Message) => got.push(m);
  const a = h.subscribe("a", { onMessage });
  const first = await asked();
  await first.welcome(3);
  await first.message("a", 4);

  h.subscribe("b", { onMessage });
  const c = h.subscribe("c");
  c.leave();
  await clock.pass(GATHER - 1);
  await quiet();
  await clock.pass(1);
  const second = await asked();
  assert.ok(first.aborted);
  assert.deepEqual(second.rooms, ["a", "b"]);
  assert.deepEqual([second.param("last_event_id"), second.param("session")], ["1,a=e.4", "s1"]);
  await second.open();
  await second.event({ op: "welcome", conn: "c2", node: "n2", session: "s1" });
  assert.deepEqual(h.state, { status: "open", conn: "c1", node: "n1", data: undefined }); // the same connection, to the client
  await second.event({ op: "joined", room: "a", epoch: "e", offset: 4 });
  assert.equal(h.room("b")!.status, "joining");
  await second.event({ op: "joined", room: "b", epoch: "e", offset: 0 });
  assert.equal(h.room("b")!.status, "joined");
  await second.message("a", 5);
  await second.message("b", 1);
  assert.deepEqual(numbers(got), ["a 4", "a 5", "b 1"]);

  a.leave();
  await second.message("a", 6); // under way
  await clock.pass(GATHER);
  const third = await asked();
  assert.deepEqual([third.rooms, third.param("last_event_id")], [["b"], "1,b=e.1"]);
  await third.welcome(1);
  await third.message("a", 7); // of no room
  assert.equal(got.length, 3);
  await clock.pass(30_000);
  await quiet(); // and a stream that nothing has changed stays
});

test("what changes while a stream opens is the next one's", async () => {
  const h = follow();
  h.subscribe("a");
  const first = await asked();
  await first.open();
  h.subscribe("b");
  await clock.pass(1000);
  await quiet();
  await first.event({ op: "welcome", conn: "c1", node: "n1", session: "s1" });
  await clock.pass(1000);
  await quiet(); // room a is not answered
  await first.event({ op: "joined", room: "a" });
  await clock.pass(GATHER);
  const second = await asked();
  assert.deepEqual(second.rooms, ["a", "b"]);
  await second.welcome();
  assert.equal(h.room("b")!.status, "joined");
  await clock.pass(1000);
  await quiet();
});

test("rooms that begin with different numbers of messages take a stream each", async () => {
  const h = follow();
  const first = await asked();
  await first.welcome();
  h.subscribe("a", { history: 5 });
  h.subscribe("b", { history: 9 });
  h.subscribe("c", { history: 5, position: { epoch: "e", offset: 2 } }); // begins there
  await clock.pass(GATHER);
  const second = await asked();
  assert.deepEqual([second.rooms, second.param("history"), second.param("last_event_id")], [["a", "c"], "5", "1,c=e.2"]);
  await second.welcome(2);
  await clock.pass(GATHER);
  const third = await asked();
  assert.deepEqual([third.rooms, third.param("history")], [["a", "b", "c"], "9"]);
  assert.equal(third.param("last_event_id"), "1,a=e.2,c=e.2");
  await third.welcome(2);
  assert.deepEqual(
    ["a", "b", "c"].map((name) => h.room(name)!.status),
    ["joined", "joined", "joined"],
  );
  await clock.pass(1000);
  await quiet();
});

test("a client is in 32 rooms, and the next comes in when one is left", async () => {
  const h = follow();
  const refused: string[] = [];
  const onError = (e: HubError) => refused.push(`${e.room} ${e.code}`);
  const first = await asked();
  await first.welcome();
  for (let n = 1; n <= 33; n++) h.subscribe("r" + n, { onError, position: { epoch: "e", offset: n } });
  await clock.pass(GATHER);
  const second = await asked();
  assert.equal(second.rooms.length, 32);
  // A position in a room that is not asked for would be one that the server has put the client into.
  assert.match(second.param("last_event_id")!, /,r32=e\.32$/);
  await second.welcome(1);
  assert.deepEqual(refused, ["r33 too_many_rooms"]);
  assert.equal(h.room("r33")!.status, "joining");
  h.room("r7")!.leave();
  await clock.pass(GATHER);
  const third = await asked();
  assert.ok(third.rooms.includes("r33") && !third.rooms.includes("r7"));
  await third.welcome(1);
  assert.equal(h.room("r33")!.status, "joined");
  assert.deepEqual(refused, ["r33 too_many_rooms"]);
});

test("of more rooms than 32 that were joined before the stream, the newest wait", async () => {
  const h = follow();
  const refused: string[] = [];
  for (let n = 1; n <= 34; n++) h.subscribe("r" + n, { onError: (e) => refused.push(`${e.room} ${e.code}`) });
  const first = await asked();
  assert.equal(first.rooms.length, 32);
  await first.welcome();
  assert.deepEqual(refused.sort(), ["r33 too_many_rooms", "r34 too_many_rooms"]);
  assert.deepEqual([h.room("r32")!.status, h.room("r33")!.status], ["joined", "joining"]);
  await first.end(); // a new connection knows the limit
  await clock.pass(2000);
  const again = await asked();
  assert.equal(again.rooms.length, 32);
  assert.ok(!again.rooms.includes("r33"));
  await again.welcome();
  assert.equal(refused.length, 4);
});

test("names take no more than an id has room for", async () => {
  const h = follow();
  const refused: string[] = [];
  const names = Array.from({ length: 12 }, (_, n) => `${10 + n}:` + ".".repeat(252));
  for (const name of names) h.subscribe(name, { onError: (e) => refused.push(`${names.indexOf(e.room!)} ${e.code}`) });
  const s = await asked();
  // Each takes 3 bytes and 252 of three in the id, and 64.
  const fit = Math.floor(8192 / (3 + 3 * 252 + 64));
  assert.deepEqual(s.rooms, names.slice(0, fit));
  await s.welcome();
  assert.deepEqual(refused, ["9 too_many_rooms", "10 too_many_rooms", "11 too_many_rooms"]);
});

test("a stream has no more rooms than the server lets a client join at once", async () => {
  const h = follow();
  const refused: string[] = [];
  const first = await asked();
  await first.welcome(undefined, { limits: { rate: 1, burst: 3 } });
  for (let n = 1; n <= 4; n++) h.subscribe("r" + n, { onError: (e) => refused.push(`${e.room} ${e.code}`) });
  for (let rooms = 1; refused.length === 0; rooms++) {
    assert.ok(rooms <= 4);
    await clock.pass(2_000); // the client keeps the rate
    const next = await asked();
    assert.ok(next.rooms.length <= 3, `${next.rooms.length} rooms`);
    await next.welcome();
  }
  assert.deepEqual(refused, ["r4 too_many_rooms"]);
  assert.deepEqual(
    [1, 2, 3, 4].map((n) => h.room("r" + n)!.status),
    ["joined", "joined", "joined", "joining"],
  );
});

test("a room that the server refuses has its error; one that it refuses later is left", async () => {
  const h = follow();
  const got: string[] = [];
  const watch = {
    onError: (e: HubError) => got.push(`error ${e.room} ${e.code}`),
    onLeft: (e: HubError) => got.push(`left ${e.room} ${e.code}`),
  };
  h.subscribe("a", watch);
  h.subscribe("b", watch);
  const first = await asked();
  await first.open();
  await first.event({ op: "welcome", conn: "c1", node: "n1", session: "s1" });
  await first.event({ op: "error", room: "a", code: "forbidden", message: "not allowed" }, "refused");
  await first.event({ op: "joined", room: "b" });
  assert.deepEqual(got, ["error a forbidden"]);
  h.subscribe("c");
  await clock.pass(GATHER);
  const second = await asked();
  assert.deepEqual(second.rooms, ["b", "c"]);
  await second.open();
  await second.event({ op: "welcome", conn: "c1", node: "n1", session: "s1" });
  await second.event({ op: "error", room: "b", code: "forbidden" }, "refused");
  await second.event({ op: "error", room: "unknown", code: "forbidden" }, "refused");
  await second.event({ op: "joined", room: "c" });
  assert.deepEqual(got, ["error a forbidden", "left b forbidden"]);
  assert.equal(h.room("b"), undefined);
  h.subscribe("d");
  await clock.pass(GATHER);
  assert.deepEqual((await asked()).rooms, ["c", "d"]);
});

test("the server joins rooms and takes the client out, over all streams", async () => {
  const joined: string[] = [];
  const left: string[] = [];
  const got: Message[] = [];
  const h = follow({
    onServerJoin(room) {
      joined.push(room.name);
      room.on({ onMessage: (m) => got.push(m), onLeft: (e) => left.push(`${room.name} ${e.code}`) });
    },
  });
  const first = await asked();
  await first.welcome();
  await first.event({ op: "joined", room: "own", epoch: "e", offset: 1 });
  await first.event({ op: "joined", room: "team", epoch: "e", offset: 1 });
  await first.message("own", 2);
  h.subscribe("a");
  await clock.pass(GATHER);
  const second = await asked();
  assert.deepEqual([second.rooms, second.param("last_event_id")], [["a"], "1,own=e.2,team=e.1"]); // not asked for: positions alone
  await second.welcome();
  await second.event({ op: "joined", room: "own", epoch: "e", offset: 2 });
  await second.event({ op: "left", room: "team", code: "removed", message: "the application has not joined the room again" });
  await second.message("own", 3);
  assert.deepEqual([joined, left, numbers(got)], [["own", "team"], ["team removed"], ["own 2", "own 3"]]);

  // And over a new connection.
  await second.end();
  await clock.pass(2000);
  const third = await asked();
  assert.deepEqual([third.rooms, third.param("last_event_id")], [["a"], "1,own=e.3"]);
  await third.welcome();
  await third.event({ op: "joined", room: "own", epoch: "e", offset: 3 });
  await third.message("own", 4);
  await third.event({ op: "left", room: "own", code: "removed" });
  await third.message("own", 5);
  assert.deepEqual([joined, left, got.length], [["own", "team"], ["team removed", "own removed"], 3]);
});

test("an id without an event moves the position", async () => {
  const h = follow();
  const got: Message[] = [];
  const gaps: unknown[] = [];
  for (const room of ["a", "b.,=%"]) h.subscribe(room, { onMessage: (m) => got.push(m), onGap: (g) => gaps.push(g) });
  const first = await asked();
  await first.welcome(1);
  await first.message("a", 2);
  const b = "b%2E%2C%3D%25";
  await first.write(`id: 1,a=e.3,${b}=e.1\n\n`); // a's own message
  assert.deepEqual([h.room("a")!.position?.offset, h.room("b.,=%")!.position?.offset], [3, 1]);
  await first.write(`id: 1,a=e.3,${b}=e.2\n\n`);
  await first.write(`id: 1,a=e.2,${b}=e.2\n\n`, "id: 1,other=e.9,a\n\n", "id\n\n", ":\n\n"); // nothing newer
  assert.deepEqual([h.room("a")!.position?.offset, h.room("b.,=%")!.position?.offset], [3, 2]);
  await first.message("a", 4);
  h.subscribe("c");
  await clock.pass(GATHER);
  const second = await asked();
  assert.equal(second.param("last_event_id"), `1,a=e.4,${b}=e.2`);
  await second.welcome(4);
  await second.message("a", 5);
  assert.deepEqual([numbers(got), gaps], [["a 2", "a 4", "a 5"], []]);
});

test("a gap, stale and live are told, and the next stream goes on after the gap", async () => {
  const states: string[] = [];
  const gaps: unknown[] = [];
  const h = follow({ onState: ({ status }) => states.push(status) });
  h.subscribe("a", { onGap: (g) => gaps.push(g.to) });
  const first = await asked();
  await first.welcome(1);
  await first.event({ op: "stale" });
  await first.event({ op: "live" });
  await first.event({ op: "gap", room: "a", epoch: "f", offset: 8 });
  assert.deepEqual([states, gaps], [["connecting", "open", "stale", "open"], [{ epoch: "f", offset: 8 }]]);
  await first.end();
  await clock.pass(2000);
  const second = await asked();
  assert.equal(second.param("last_event_id"), "1,a=f.8");
});

test("a stream comes in pieces", async () => {
  const h = follow();
  const got: unknown[] = [];
  h.subscribe("a", { onMessage: ({ data }) => got.push(data) });
  const s = await asked();
  await s.welcome();
  const bytes = new TextEncoder().encode('event: message\ndata: {"op":"message","room":"a",\ndata:"data":"ä€"}\nunknown: x\nunknown\n\n');
  for (const byte of bytes) await s.write(Uint8Array.of(byte));
  assert.deepEqual(got, ["ä€"]);
  await s.write('event: message\ndata: {"op":"message","room":"a","data":"cut"}\n');
  await s.end();
  assert.deepEqual(got, ["ä€"]);
  assert.equal(h.state.status, "waiting");
});

test("an event that cannot be read ends the stream", async () => {
  const h = follow();
  const s = await asked();
  await s.welcome();
  await s.write("data: {\n\n");
  assert.equal(h.state.status, "waiting");
  assert.ok(s.aborted);
});

test("a silent stream is taken for lost when its comments do not come", async () => {
  const h = follow();
  const s = await asked();
  await s.welcome(undefined, { ping_ms: 20_000 });
  for (let n = 0; n < 5; n++) {
    await clock.pass(20_000);
    await s.write(":\n\n");
  }
  assert.equal(h.state.status, "open");
  await clock.pass(30_000); // a comment may be late
  assert.equal(h.state.status, "open");
  assert.ok(!s.aborted);
  await clock.pass(30_000); // it is asked every 18 s, and has 10 s to answer
  assert.notEqual(h.state.status, "open");
  assert.ok(s.aborted);
});
