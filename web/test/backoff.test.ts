import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { comesBack, createBackoff, parseHint } from "../src/backoff.js";

test("the close codes are those of the protocol", () => {
  const table = new Map<number, boolean>();
  for (const [, code, back] of readFileSync("../PROTOCOL.md", "utf8").matchAll(/^\| (\d{4}) \| [^|]+ \| (yes|no) \|/gm)) {
    table.set(Number(code), back === "yes");
  }
  assert.ok(table.size > 25, `${table.size} codes in PROTOCOL.md`);
  for (let code = 1000; code < 5100; code++) {
    // Codes that are not listed: clients reconnect after 4000–4099, do not after the rest of 3000–4999, and do after any other.
    const want = table.get(code) ?? ((code >= 4000 && code < 4100) || code < 3000 || code >= 5000);
    assert.equal(comesBack(code), want, String(code));
  }
});

test("hints are read as the protocol says", () => {
  assert.deepEqual(parseHint('{"retry_after_ms":1200,"spread_ms":30000,"reason":"drain"}'), {
    after: 1200,
    spread: 30000,
    reason: "drain",
  });
  assert.deepEqual(parseHint('{"spread_ms":1,"new":{}}'), { after: 0, spread: 1, reason: "" });
  assert.deepEqual(parseHint('{"retry_after_ms":99999999999}'), { after: 86400000, spread: 0, reason: "" });
  assert.deepEqual(parseHint('{"spread_ms":null,"retry_after_ms":5}'), { after: 5, spread: 0, reason: "" });
  for (const text of [
    "",
    "restart",
    "[]",
    "null",
    "7",
    '"x"',
    '{"retry_after_ms":-1}',
    '{"retry_after_ms":1.5}',
    '{"spread_ms":"1"}',
    '{"reason":7}',
  ]) {
    assert.equal(parseHint(text), undefined, text);
  }
});

test("delays are spread over their windows", () => {
  for (const [n, most] of [
    [0, 2000],
    [1, 1000],
    [2, 2000],
    [3, 4000],
    [6, 30000],
    [50, 30000],
    [2000, 30000],
  ] as const) {
    const all = Array.from({ length: 400 }, () => {
      const backoff = createBackoff();
      for (let i = 0; i < n; i++) backoff.next();
      return backoff.next();
    });
    assert.ok(Math.min(...all) >= 0 && Math.min(...all) < most * 0.1, `attempt ${n}`);
    assert.ok(Math.max(...all) <= most && Math.max(...all) > most * 0.9, `attempt ${n}`);
  }
});

test("a connection that has lasted 30 s starts the delays anew", () => {
  const backoff = createBackoff();
  for (let i = 0; i < 20; i++) backoff.next();
  const draw = () => Math.max(...Array.from({ length: 50 }, () => (backoff.ended("", 30_000, false), backoff.next())));
  assert.ok(draw() <= 2000);
  backoff.ended("", 29_999, false);
  assert.equal(backoff.next(70_000), 70_000);
});
