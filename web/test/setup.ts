// What the tests of a hub share.
import assert from "node:assert/strict";
import { afterEach, beforeEach } from "node:test";
import { connect, type ConnectOptions, type Hub } from "../src/index.js";
import { Clock } from "./clock.js";
import { Socket } from "./server.js";

let hubs: Hub[] = [];
export let clock: Clock;
/** What a hub answers when it is asked about a refused handshake; an Error if it cannot be reached. */
export let explanation: { url?: string; answer: string | Error | Promise<string> };
/** What a test has to end, on its clock. */
export const ends: (() => Promise<void>)[] = [];

beforeEach(() => {
  clock = new Clock();
  clock.install();
  explanation = { answer: new TypeError("failed to fetch") };
  globalThis.fetch = async (url, options) => {
    assert.equal(options?.credentials, "include");
    explanation.url = url as string;
    if (explanation.answer instanceof Error) throw explanation.answer;
    return new Response(await explanation.answer, { status: 403 });
  };
  Socket.all = [];
  Socket.chooses = "hubkit.v1";
});

afterEach(async () => {
  for (const hub of hubs) hub.close();
  hubs = [];
  for (const f of ends.splice(0)) await f();
  assert.equal(clock.pending, 0, "timers are left behind");
  clock.uninstall();
});

/** Connects to a server that is played by hand. */
export function start(options: ConnectOptions = {}): Hub {
  const hub = connect("ws://example.com/ws", { WebSocket: Socket, ...options });
  hubs.push(hub);
  return hub;
}
