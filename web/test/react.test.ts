// Runs with React 18 and with React 19: scripts/test.mjs builds it twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement, StrictMode, useState, version, type ReactElement } from "react";
import { act, create, type ReactTestRenderer } from "react-test-renderer";
import type { Hub } from "../src/index.js";
import { useHub, usePresence, useRoom } from "../src/react.js";
import { settle } from "./clock.js";
import { greeted } from "./server.js";
import { clock, start } from "./setup.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

async function render(element: ReactElement): Promise<ReactTestRenderer> {
  let renderer!: ReactTestRenderer;
  await act(async () => {
    renderer = create(element);
  });
  return renderer;
}

const text = (r: ReactTestRenderer) => {
  const tree = r.toJSON();
  return JSON.stringify(Array.isArray(tree) ? tree.map((t) => t.children?.join("")) : (tree?.children?.join("") ?? null));
};

function Status({ hub }: { hub: Hub }) {
  return createElement("p", null, useHub(hub).status);
}

function Chat({ hub, name, history }: { hub: Hub; name: string; history?: number }) {
  const { status, messages, gap, error } = useRoom<string>(hub, name, { ...(history ? { history } : {}), limit: 3 });
  const parts = [status, ...messages.map((m) => m.data), gap ? "gap " + gap.to.epoch : "", error?.code ?? ""];
  return createElement("p", null, parts.filter(Boolean).join(" "));
}

function People({ hub, name }: { hub: Hub; name: string }) {
  return createElement(
    "p",
    null,
    usePresence(hub, name)
      .map((m) => m.user)
      .join(" "),
  );
}

test(`useHub, React ${version}`, async () => {
  const hub = start({ lazy: true });
  const page = await render(createElement(Status, { hub }));
  assert.equal(text(page), '"idle"');
  await act(async () => {
    hub.open();
    await greeted();
  });
  assert.equal(text(page), '"open"');
  await act(async () => page.unmount());
});

test("useRoom joins while it is mounted, and components share the room", async () => {
  const hub = start();
  const { socket } = await greeted();
  const both = createElement(
    StrictMode,
    null,
    createElement(Chat, { hub, name: "a", history: 5 }),
    createElement(Chat, { hub, name: "a" }),
  );
  const page = await render(both);
  const join = socket.take("join");
  assert.deepEqual(join, { op: "join", id: join.id, room: "a", history: 5 });
  socket.quiet();
  assert.equal(text(page), '["joining","joining"]');
  await act(async () => {
    await socket.push({ op: "ok", id: join.id, room: "a", epoch: "e", offset: 0 });
    for (const n of [1, 2, 3, 4]) await socket.push({ op: "message", room: "a", epoch: "e", offset: n, data: "m" + n });
  });
  assert.equal(text(page), '["joined m2 m3 m4","joined m2 m3 m4"]');
  await act(async () => {
    await socket.push({ op: "gap", room: "a", epoch: "f", offset: 0 });
    await socket.push({ op: "left", room: "a", code: "removed" });
  });
  assert.equal(text(page), '["left m2 m3 m4 gap f removed","left m2 m3 m4 gap f removed"]');
  await act(async () => page.unmount());
  await clock.pass(1000);
});

test("useRoom leaves a room soon after nobody uses it, and follows another name", async () => {
  const hub = start();
  const { socket } = await greeted();
  let go!: (name: string) => void;
  function Page() {
    const [name, set] = useState("a");
    go = set;
    return createElement(Chat, { hub, name });
  }
  const page = await render(createElement(Page));
  await act(async () => socket.push({ op: "ok", id: socket.take("join").id, room: "a" }));
  await act(async () => go("b"));
  assert.equal(socket.take("join").room, "b");
  await act(async () => clock.pass(999));
  socket.quiet();
  await act(async () => clock.pass(1));
  assert.equal(socket.take("leave").room, "a");
  await act(async () => page.unmount());
  await clock.pass(1000);
  assert.equal(socket.take("leave").room, "b");
  assert.equal(hub.room("b"), undefined);
});

test("a room of the application's is not left", async () => {
  const hub = start();
  hub.subscribe("a");
  const { socket } = await greeted();
  await socket.push({ op: "ok", room: "a" });
  const page = await render(createElement(Chat, { hub, name: "a" }));
  assert.equal(text(page), '"joined"');
  await act(async () => page.unmount());
  await clock.pass(1000);
  socket.quiet();
  assert.equal(hub.room("a")?.status, "joined");
});

test("usePresence keeps the list", async () => {
  const hub = start();
  const { socket } = await greeted();
  const page = await render(createElement(People, { hub, name: "a" }));
  await act(async () => socket.push({ op: "ok", id: socket.take("join").id, room: "a" }));
  const member = (user: string) => ({ conn: "c-" + user, user });
  await act(async () => {
    await socket.push({ op: "join", room: "a", data: member("bob") });
    await socket.push({ op: "ok", id: socket.take("presence").id, data: { count: 1, members: [member("ada")] } });
  });
  assert.equal(text(page), '"ada bob"');
  await act(async () => socket.push({ op: "leave", room: "a", data: member("ada") }));
  assert.equal(text(page), '"bob"');
  await act(async () => {
    await socket.push({ op: "presence", room: "a", data: { count: 3 }, spread_ms: 1000 });
    await clock.pass(1000);
    await socket.push({ op: "ok", id: socket.take("presence").id, data: { count: 2, members: [member("eve"), member("bob")] } });
  });
  assert.equal(text(page), '"eve bob"');
  await act(async () => page.unmount());
  await clock.pass(1000);
  await settle();
  socket.take("leave");
});
