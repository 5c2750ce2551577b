// What the tests of a hub share.
import assert from "node:assert/strict";
import { afterEach, beforeEach } from "node:test";
import { connect, type ConnectOptions, type Hub } from "../src/index.js";
import { Clock } from "./clock.js";
import { Socket } from "./server.js";

let hubs: Hub[] = [];
export let clock: Clock;
/** What a test has to end, on its clock. */
export const ends: (() => Promise<void>)[] = [];

beforeEach(() => {
  clock = new Clock();
  clock.install();
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
