// Handshakes that were refused: the browser does not say why, but the hub does when it is asked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dialed, greeted, Socket } from "./server.js";
import { clock, explanation, start } from "./setup.js";

const says = (answer: object) => void (explanation.answer = JSON.stringify(answer));

test("a refusal for good closes the hub with its reason", async () => {
  for (const [status, close_code, reason] of [
    [401, 4100, "unauthorized"],
    [403, 4101, "banned"],
  ] as const) {
    says({ status, close_code, reason });
    const hub = start();
    await (await dialed()).end();
    assert.ok(hub.state.status === "closed");
    assert.equal(hub.state.error?.closeCode, close_code);
    assert.equal(hub.state.error.message, reason);
    assert.equal(explanation.url, "http://example.com/ws?hubkit_explain=1&");
  }
});

test("a refusal for now says when to come back", async () => {
  says({ status: 503, close_code: 1013, reason: "too many connections", retry_after_ms: 5000, spread_ms: 1000 });
  const hub = start();
  await (await dialed()).end();
  assert.ok(hub.state.status === "waiting");
  const { error, until } = hub.state;
  assert.deepEqual([error.message, error.closeCode, error.retryAfter], ["too many connections", 1013, 5000]);
  const wait = until - clock.now;
  assert.ok(wait >= 5000 && wait <= 6000, `waits ${wait}`);
  await clock.pass(6000);
  const { socket } = await greeted({ ticket: "t1" });
  says({ close_code: 1013, reason: "again" });
  delete explanation.url;
  await socket.end(); // it was open: there is nothing to ask
  assert.equal(explanation.url, undefined);
  await clock.pass(2000);
  await (await dialed()).end();
  assert.equal(explanation.url, "http://example.com/ws?hubkit_explain=1&hubkit_resume=t1");
});

test("without an explanation the reason is that of the browser", async () => {
  for (const answer of [new TypeError("failed to fetch"), "<html>", "null", "{}", "[]", '{"close_code":0}', ""]) {
    explanation.answer = answer;
    const hub = start();
    await (await dialed()).end();
    assert.ok(hub.state.status === "waiting", String(answer));
    assert.equal(hub.state.error.message, "close code 1006");
    hub.close();
  }
});

test("an explanation that comes too late is none", async () => {
  let tell: (answer: string) => void = () => {};
  explanation.answer = new Promise((resolve) => (tell = resolve));
  const hub = start();
  await (await dialed()).end();
  assert.ok(/connecting/.test(hub.state.status));
  await clock.pass(10_000);
  assert.match(JSON.stringify(hub.state), /^{"status":"waiting"/);
  assert.ok("error" in hub.state);
  assert.equal(hub.state.error?.message, "no welcome in time");
  hub.open();
  const { socket } = await greeted();
  tell('{"close_code":4101}');
  await clock.pass(0);
  assert.match(hub.state.status, /open/);
  assert.equal(Socket.all.length, 0);
  socket.quiet();
});
