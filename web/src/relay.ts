// The server's end of the tabs: it speaks protocol v1 to each, and has one connection to the hub for all of them.

import { connect } from "./index.js";
import { HubError } from "./errors.js";
import { errorFrame, ROOMY, type Down, type Up } from "./link.js";
import { createRelayRooms, type Link } from "./relay-rooms.js";
import type { Hub, State, WebSocketClass } from "./types.js";

const OLD = 1e4; // what a tab sent longer ago was held up with this page, and the tab has given it up
const RENEW = 5e3; // for one tab to fetch a token, before the next is asked
const IDLE = 5e3; // before a connection or a room is left that no tab uses
const BEHIND = 1024; // frames that a tab has not confirmed
const MARK = 64; // frames until a tab is asked to confirm

// A request of a tab. What it has beside these are the options of the call that makes it.
interface Request {
  readonly op: string;
  readonly id: number;
  readonly room: string;
  readonly data: unknown;
  readonly method: string;
  readonly key?: string;
  readonly epoch?: string;
  readonly offset?: number;
}

export type Relay = ReturnType<typeof createRelay>;

/** Makes a relay that sends by post. It connects when a tab asks. */
export function createRelay(url: string, post: (down: Down) => void, WebSocket?: WebSocketClass) {
  const id = Math.random().toString(36).slice(2);
  const links = new Map<string, Link>();
  const renewals = new Map<string | undefined, (token: string) => void>();
  let upstream: { ticket?: string | undefined; session?: unknown } = {};
  let greet: ((token: string) => void) | undefined; // resolves the token of the attempt under way
  let stopped = false;
  let idle: ReturnType<typeof setTimeout> | undefined;

  const live = () => /open|stale/.test(hub.state.status);

  const send = (to: Link[], frame: object | string) => {
    const mark = [];
    for (const link of to) if (++link.unheard % MARK === 0) mark.push(link.id);
    const text = typeof frame === "string" ? frame : JSON.stringify(frame);
    if (to.length) post({ relay: id, links: to.map((link) => link.id), text, mark });
    for (const link of to) if (link.unheard > BEHIND) end(link, 4001, "the tab does not read");
  };

  const rooms = createRelayRooms(send, () => hub, tidy);

  const hub: Hub = connect(url, {
    lazy: true,
    timeout: 0,
    queue: Infinity,
    queueBytes: Infinity,
    ...(WebSocket && { WebSocket }),
    token: ({ room, signal }) => (live() ? renew(room, signal) : firstToken(signal)),
    store: (_, connection) => {
      upstream = connection;
      return { take: () => undefined, touch() {}, write() {} };
    },
    onState: changed,
    onMessage: (message) => send(welcomed(), { op: "message", ...message }),
    onServerJoin: (room) => rooms.served(room, [...links.values()]),
    onError: (error) => send(welcomed(), errorFrame(error)),
  });

  function welcomed(): Link[] {
    return [...links.values()].filter((link) => link.welcomed);
  }

  function changed(state: State): void {
    if (stopped) return;
    const { status } = state;
    if (status === "connecting") post({ relay: id, dial: true });
    else if (status === "open" || status === "stale") {
      send(welcomed(), { op: status === "open" ? "live" : status });
      for (const link of links.values()) if (link.hello && !link.welcomed) welcome(link);
      tidy();
    } else {
      const error = "error" in state ? state.error : undefined;
      const { closeCode = 4000, message = "" } = error ?? {};
      const reason =
        status === "waiting"
          ? JSON.stringify({ retry_after_ms: Math.max(1, Math.ceil(state.until - Date.now())), reason: message })
          : message;
      if (!links.size && status === "waiting") hub.close(); // until a tab comes
      for (const link of [...links.values()]) end(link, closeCode, reason);
    }
  }

  function end(link: Link, code: number, reason: string): void {
    if (!links.has(link.id)) return;
    post({ relay: id, links: [link.id], close: [code, reason] });
    drop(link);
  }

  function drop(link: Link): void {
    links.delete(link.id);
    rooms.drop(link);
    link.abort.abort();
    tidy();
  }

  // Leaves what no tab has used for a time.
  function tidy(): void {
    clearTimeout(idle);
    if (stopped) return;
    idle = setTimeout(() => {
      idle = undefined;
      if (!live()) return;
      if (links.size) rooms.tidy();
      else stop(false);
    }, IDLE);
  }

  function stop(forGood: boolean): void {
    for (const link of [...links.values()]) end(link, 4000, '{"retry_after_ms":1}');
    stopped = forGood;
    clearTimeout(idle);
    hub.close();
    rooms.clear();
  }

  // The identity is that of the tab which says hello first.
  function firstToken(signal: AbortSignal): string | Promise<string> {
    const link = [...links.values()].find((link) => link.hello);
    if (link) return (link.hello!.token as string | undefined) ?? "";
    return new Promise((resolve, reject) => {
      greet = resolve;
      signal.addEventListener("abort", () => reject(new HubError("disconnected")));
    });
  }

  // Asks one tab after the other for a token, those first that were heard last.
  function renew(room: string | undefined, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const ask = welcomed()
        .filter((link) => link.hello!.token)
        .sort((a, b) => b.heard - a.heard);
      if (!ask.length) return; // the application has no tokens
      let timer: ReturnType<typeof setTimeout> | undefined;
      const done = () => {
        clearTimeout(timer);
        renewals.delete(room);
      };
      const next = () => {
        const link = ask.shift();
        if (link) {
          send([link], { op: "refresh", room });
          timer = setTimeout(next, RENEW);
        } else {
          done();
          reject(new Error("no tab has a token"));
        }
      };
      renewals.set(room, (token) => {
        done();
        resolve(token);
      });
      signal.addEventListener("abort", () => {
        done();
        reject(new HubError("disconnected"));
      });
      next();
    });
  }

  function welcome(link: Link): void {
    const { status, conn, node, data } = hub.state as Extract<State, { conn: string }>;
    link.welcomed = true;
    const { session, ticket } = upstream;
    // The relay keeps to the limits of the server. A tab has none of its own.
    send([link], { op: "welcome", conn, node, data, session, ticket, limits: ROOMY });
    if (status === "stale") send([link], { op: status });
    rooms.welcome(link);
  }

  function hello(link: Link, frame: Record<string, unknown>): void {
    link.hello = frame;
    // The server knows a client by its session: one that had another relay goes on with it.
    if (!live()) upstream.session ??= frame.session;
    if (live()) welcome(link);
    rooms.resume(link, (frame.resume ?? []) as never);
    if (live()) return;
    hub.open();
    greet?.((frame.token as string | undefined) ?? "");
    greet = undefined;
  }

  async function request(link: Link, frame: Record<string, unknown>): Promise<void> {
    const { op, id, room, data, method, key, epoch, offset, ...more } = frame as unknown as Request;
    const options = { ...more, timeout: 0, signal: link.abort.signal };
    const inside = () => {
      const found = hub.room(room);
      if (!found) throw new HubError("unknown_room", "", { room });
      return found;
    };
    let answer: object | undefined;
    try {
      if (op === "publish") answer = await hub.publish(room, data, { ...options, ...(key && { key }) });
      else if (op === "call") answer = { data: await hub.call(method, data, options) };
      else if (op === "send") await hub.send(data, options);
      else if (op === "presence") answer = { data: await inside().presence(options) };
      else if (op === "history") {
        const page = await inside().history({ ...options, ...(epoch && { from: { epoch, offset: offset ?? 0 } }) });
        const messages = page.messages.map((m) => ({ ...m, room: undefined, epoch: undefined }));
        answer = { ...page.newest, data: { messages, more: page.more } };
      } else if (op !== "ping") throw new HubError("unknown_op");
      answer = { op: "ok", id, room, ...answer };
    } catch (error) {
      answer = errorFrame(error, id, room);
    }
    if (links.has(link.id)) send([link], answer);
  }

  function text(link: Link, frame: Record<string, unknown>): void {
    const { op, id, room } = frame as { op: string; id?: number; room: string };
    if (op === "hello") hello(link, frame);
    else if (op === "join") rooms.join(link, frame as never);
    else if (op === "leave") {
      rooms.leave(link, room);
      send([link], { op: "ok", id, room });
    } else if (op === "token") {
      renewals.get(room)?.(frame.token as string);
      send([link], { op: "ok", id, room });
    } else void request(link, frame);
  }

  return {
    id,

    /** Takes what a tab has sent. */
    receive(up: Up): void {
      const late = Date.now() - up.at > OLD;
      let link = links.get(up.link);
      if ("open" in up) {
        if (link || late || stopped) return;
        link = { id: up.link, abort: new AbortController(), unheard: 0, heard: Date.now(), welcomed: false, wants: new Map() };
        links.set(up.link, link);
        upstream.ticket ??= new URL(up.open).searchParams.get("hubkit_resume") ?? undefined;
        // A tab holds a lock of this name for as long as it lives.
        const gone = link;
        const { signal } = link.abort;
        void (navigator as Partial<Navigator>).locks?.request(up.link, { signal }, () => drop(gone)).catch(() => {});
        post({ relay: id, links: [up.link], open: true });
        return;
      }
      if (!link || up.relay !== id) return;
      if (late) return end(link, 4000, '{"retry_after_ms":1}');
      link.heard = Date.now();
      if ("text" in up) text(link, JSON.parse(up.text) as Record<string, unknown>);
      else if ("confirm" in up) link.unheard -= MARK;
      else drop(link);
    },

    /** Ends all tabs' links, which find another relay, and the connection. */
    stop: () => stop(true),
  };
}
