// CBOR by itself, and with servers that have it or not. The shared cases run in it too.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cbor, fromBase64, toBase64 } from "../src/cbor.js";
import { decode, encode } from "../src/cbor-frames.js";
import { BinarySocket, dialed, greeted, Socket, WELCOME } from "./server.js";
import { start } from "./setup.js";

const hex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (b) => parseInt(b, 16));
const written = (frame: object) => Buffer.from(encode(JSON.stringify(frame))).toString("hex");

test("the examples of PROTOCOL.md", () => {
  const message = { op: "message", room: "a", epoch: "e", offset: 24, bin: "/w==" };
  const wire = "a5626f70676d65737361676564726f6f6d61616565706f63686165666f66667365741818646461746141ff";
  assert.equal(written(message), wire);
  assert.deepEqual(JSON.parse(decode(hex(wire))), message);
  assert.equal(written({ op: "ping" }), "a1626f706470696e67");
});

test("every kind of value comes back as it was", () => {
  const long = "x".repeat(70_000);
  for (const frame of [
    {
      op: "publish",
      data: { info: [1, 2.5, -1, null, true, 'é\u0001"\\'], bin: "x" },
      tags: { info: "i", data: "{", bin: "b", from: "f" },
    },
    { op: "publish", data: long, room: long.slice(0, 300) },
    { op: "message", data: null, from: { conn: "c", info: { data: [] } }, time: 1700000000123 },
    {
      op: "hello",
      resume: [
        { room: "a", epoch: "e", offset: 2 ** 53 - 1 },
        { room: "b", joined: true },
      ],
    },
    { op: "x", n: [0, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32], flags: [true, false, null], f: [0.1, -5, 1e300] },
    { op: "send", bin: toBase64(Uint8Array.from({ length: 100_000 }, (_, i) => i)) },
    { op: "send", bin: "" },
    { op: "send", data: "" },
  ]) {
    assert.deepEqual(JSON.parse(decode(encode(JSON.stringify(frame)))), frame);
  }
});

test("floats of every width, and long heads", () => {
  // {"a": 1.5 (16 bits), "b": 2^-24 (16 bits), "c": -0.25 (32 bits), "d": 1.1 (64 bits), "e": 7 in eight bytes}
  const wire = "a56161f93e006162f900016163fabe8000006164fb3ff199999999999a61651b0000000000000007";
  assert.deepEqual(JSON.parse(decode(hex(wire))), { a: 1.5, b: 2 ** -24, c: -0.25, d: 1.1, e: 7 });
});

test("what is no frame is refused", () => {
  for (const wire of [
    "",
    "80",
    "6161",
    "01",
    "f6",
    "a1626f706470696e",
    "a1626f7079",
    "a1626f707bffffffffffffffff",
    "bbffffffffffffffff",
    "a1626f706470696e6700",
    "bf626f706470696e67ff",
    "a101f5",
    "a1626f70c101",
    "a1626f704470696e67",
    "a1626f7061ff",
    "a1626f70f7",
    "a1626f701c",
    "a16161f97e00",
    "a1616120",
    "a161611b0020000000000000",
    "a16161" + "81".repeat(4) + "00",
  ]) {
    assert.throws(() => decode(hex(wire)), Error, wire);
  }
});

test("base64 of bytes", () => {
  for (const bytes of [[], [0], [255, 0], [1, 2, 3]]) assert.deepEqual([...fromBase64(toBase64(Uint8Array.from(bytes)))], bytes);
});

test("a server that lacks CBOR is spoken to in JSON", async () => {
  const hub = start({ WebSocket: cbor(BinarySocket) });
  const { socket } = await greeted();
  assert.equal(socket.asked, "hubkit.v1.cbor hubkit.v1");
  const sent = hub.send(undefined, { bin: "AP8=" });
  const { id, ...frame } = socket.take();
  assert.deepEqual(frame, { op: "send", bin: "AP8=" });
  await socket.push({ op: "ok", id });
  await sent;
});

test("a frame that cannot be read drops the connection, and so does text", async () => {
  Socket.chooses = "hubkit.v1.cbor";
  const hub = start({ WebSocket: cbor(BinarySocket) });
  for (const data of [hex("a1626f70").buffer, "{}", new ArrayBuffer(0)]) {
    const socket = await dialed();
    await socket.open();
    await socket.push(WELCOME);
    assert.equal(hub.state.status, "open");
    socket.onmessage?.({ data } as never);
    assert.equal(hub.state.status, "waiting");
    hub.open();
  }
});
