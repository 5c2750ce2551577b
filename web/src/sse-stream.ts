// One event stream after the other, as one WebSocket: a stream follows the rooms that its request names, so it is made anew when a
// room is joined or left, and goes on where it was.

import { deadline } from "./deadline.js";
import type { Frame, Limits, Outgoing } from "./frames.js";
import { readEvents, type ServerEvent } from "./sse-events.js";
import { PATIENCE } from "./times.js";
import type { Position, WebSocketLike } from "./types.js";

const ROOMS = 32; // that a stream may be in
const ID = 8192; // bytes of an event's id, in which each of them has its share
const GATHER = 5; // joins and leaves that come together are one stream
const ANSWER = 1e4; // until the first event of a stream that follows another, or the answer to a publication
const PING = 25e3; // of a server that names none
const LATE = 1e4; // a comment may be

/** A room that the client is in, or is to be. */
interface Followed {
  at: Position | undefined;
  /** How many of the newest messages it begins with. */
  history?: number | undefined;
  /** The join that is to be answered. */
  join?: number | undefined;
  /** The server has put the client into it. */
  served?: boolean | undefined;
  /** The client has been told that it is in it. */
  inside?: boolean;
}

interface Request extends Outgoing {
  readonly id?: number;
  readonly token?: string;
}

const encode = (text: string) => encodeURIComponent(text).replace(/\./g, "%2E");

const utf8 = (text: string) => new TextEncoder().encode(text);

// What the server reserves of an id for a room: its name, of which most is percent-encoded, and its position.
const share = (name: string) => 3 * utf8(name).length - 2 * name.replace(/[^\w:/-]/g, "").length + 64;

// Headers are bytes. In quotes, spaces at the ends are kept.
const quoted = (text: string) =>
  '"' +
  Array.from(utf8(text), (byte) => String.fromCharCode(byte))
    .join("")
    .replace(/["\\]/g, "\\$&") +
  '"';

/** An event stream, and what is sent beside it, as a WebSocket of hubkit.v1. */
export class EventStream implements WebSocketLike {
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onclose: WebSocketLike["onclose"] = null;
  onerror: WebSocketLike["onerror"] = null;
  protocol = "";
  readyState = 0;
  readonly #events: string | URL;
  readonly #post: string | URL | undefined;
  readonly #ticket: string | null;
  readonly #rooms = new Map<string, Followed>();
  #hello: Request | undefined; // until it is answered
  #token: string | undefined;
  #session: string | undefined;
  #tokens: Request[] = []; // to be answered by the next stream
  #pings: number[] = []; // to be answered when something is heard
  #abort = new AbortController();
  #gathering: ReturnType<typeof setTimeout> | undefined;
  #stop: () => void = Boolean;
  #most = ROOMS; // rooms of a stream, each of which the server counts as a message
  #over: object[] = []; // the answers for rooms that the present stream has no place for
  #dirty = false; // the present stream is not the one that is wanted
  #heard = Date.now();
  #ping = PING;
  #posts: Promise<void> = Promise.resolve(); // one after the other, to keep the order

  constructor(url: string, protocol: string, events: string | URL, post: string | URL | undefined) {
    this.#events = events;
    this.#post = post;
    this.#ticket = new URL(url).searchParams.get("hubkit_resume");
    queueMicrotask(() => {
      if (this.readyState) return;
      this.readyState = 1;
      this.protocol = protocol;
      this.onopen?.({} as never);
    });
  }

  close(): void {
    this.readyState = 3;
    clearTimeout(this.#gathering);
    this.#stop();
    this.#abort.abort();
  }

  send(text: string): void {
    const q = JSON.parse(text) as Request & { resume?: (Position & { room: string; joined?: boolean })[]; session?: string };
    const { id, room = "" } = q;
    switch (q.op) {
      case "hello":
        this.#hello = q;
        this.#token = q.token;
        this.#session = q.session;
        for (const { room, epoch, offset, joined } of q.resume ?? [])
          this.#rooms.set(room, { at: epoch ? { epoch, offset: offset || 0 } : undefined, served: joined });
        void this.#stream();
        break;
      case "join": {
        const { epoch, offset, history } = q as unknown as Partial<Position> & { history?: number };
        const { at, served } = this.#rooms.get(room) ?? {};
        if (at && served) this.#rooms.delete(room); // from now on it is the client's own
        this.#rooms.set(room, { at: epoch ? { epoch, offset: offset ?? 0 } : at, history, join: id });
        this.#change();
        break;
      }
      case "leave":
        this.#rooms.delete(room);
        this.#push({ op: "ok", id, room });
        this.#change();
        break;
      case "token":
        this.#token = q.token;
        this.#tokens.push(q);
        this.#change();
        break;
      case "ping":
        if (Date.now() - this.#heard < this.#ping + LATE) this.#push({ op: "ok", id });
        else this.#pings.push(id!);
        break;
      default:
        if (this.#post && !("bin" in q) && /^(publish|call)$/.test(q.op)) this.#posts = this.#posts.then(() => this.#request(q));
        else this.#push({ op: "error", id, room: q.room, code: "unknown_op", message: "this needs a WebSocket" });
    }
  }

  // The client does not expect an answer before send has returned.
  #push(frame: object): void {
    queueMicrotask(() => this.#tell(frame));
  }

  #tell(frame: object): void {
    if (this.readyState === 1) this.onmessage?.({ data: JSON.stringify(frame) } as never);
  }

  #end(code: number, reason = ""): void {
    if (this.readyState > 1) return;
    this.close();
    this.onclose?.({ code, reason } as never);
  }

  // The rooms have changed, or the token.
  #change(): void {
    this.#dirty = true;
    if (this.#hello || this.#opening()) return; // when that is done
    clearTimeout(this.#gathering);
    this.#gathering = setTimeout(() => void this.#stream(), GATHER);
  }

  // Rooms that the present stream has not answered yet.
  #opening(): boolean {
    return !!this.#asked.size;
  }

  #asked = new Set<string>();

  async #stream(): Promise<void> {
    this.#dirty = false;
    this.#abort.abort();
    const { signal } = (this.#abort = new AbortController());
    this.#stop();
    this.#stop = this.#hello ? Boolean : deadline(ANSWER, () => this.#end(1006));
    try {
      const response = await fetch(this.#address(), {
        headers: { Accept: "text/event-stream", ...(this.#token && { Authorization: "Bearer " + this.#token }) },
        credentials: "include",
        cache: "no-store",
        signal,
      });
      if (!response.ok || !response.body) return await this.#refused(response);
      for await (const event of readEvents(response.body)) {
        if (signal.aborted) return;
        this.#heard = Date.now();
        for (const id of this.#pings.splice(0)) this.#tell({ op: "ok", id });
        this.#receive(event);
      }
    } catch {
      // The network, or what came is no event stream.
    }
    if (!signal.aborted) this.#end(1006);
  }

  #address(): URL {
    const url = new URL(this.#events, (globalThis.location as Location | undefined)?.href);
    const { searchParams } = url;
    let id = "1";
    let newest: number | undefined;
    let size = 0;
    this.#asked.clear();
    for (const [name, room] of this.#rooms) if (room.served) size += share(name);
    for (const [name, room] of this.#rooms) {
      if (!room.served && (this.#asked.size >= this.#most || size + share(name) > ID)) {
        this.#rooms.delete(name);
        this.#over.push({ op: "error", id: room.join, room: name, code: "too_many_rooms" });
        continue;
      }
      if (room.at) id += "," + encode(name) + "=" + encode(room.at.epoch) + "." + room.at.offset;
      if (room.served) continue;
      if (room.history && !room.at) {
        newest ??= room.history;
        if (newest !== room.history) {
          this.#dirty = true; // one stream begins with so many messages of each; the next has the others
          continue;
        }
      }
      size += share(name);
      this.#asked.add(name);
      searchParams.append("room", name);
    }
    if (newest) searchParams.set("history", "" + newest);
    if (id !== "1") searchParams.set("last_event_id", id);
    if (this.#session) searchParams.set("session", this.#session);
    if (this.#ticket) searchParams.set("hubkit_resume", this.#ticket);
    return url;
  }

  async #refused(response: Response): Promise<void> {
    const { status, headers } = response;
    const seconds = Number(headers.get("Retry-After"));
    let reason = "";
    try {
      reason = ((await response.json()) as { message: string }).message;
    } catch {
      // The status says enough.
    }
    const hint = seconds ? { retry_after_ms: seconds * 1e3, spread_ms: Math.max(1e3, seconds * 500), reason } : { reason };
    const code = status === 401 ? (this.#hello ? 4100 : 4009) : status === 403 ? 4101 : status < 500 ? 4103 : 1013;
    this.#end(code, JSON.stringify(hint));
  }

  #receive({ type, id, data }: ServerEvent): void {
    if (data === undefined) return id ? this.#skip(id) : undefined;
    const frame = JSON.parse(data) as Frame;
    const { op, room: name, code } = frame;
    const room = this.#rooms.get(name!);
    const at = frame.epoch ? { epoch: frame.epoch, offset: frame.offset ?? 0 } : undefined;
    switch (type) {
      case "welcome":
        this.#welcome(frame);
        break;
      case "joined":
        this.#joined(frame, room, at);
        break;
      case "refused":
        this.#answered(name!);
        if (!room) return;
        this.#rooms.delete(name!);
        this.#tell(room.inside ? { ...frame, op: "left" } : { ...frame, id: room.join });
        break;
      case "close": {
        const { retry_after_ms, spread_ms, reason } = frame;
        return this.#end(code as unknown as number, JSON.stringify({ retry_after_ms, spread_ms, reason }));
      }
      case "left":
        this.#rooms.delete(name!);
        this.#tell(frame);
        break;
      default:
        if (name && !room) return; // the client has left it
        if (room && at && /^(message|gap)$/.test(op)) room.at = at;
        this.#tell(frame);
    }
    if (this.#dirty && !this.#hello && !this.#opening()) this.#change();
  }

  // An id without an event has passed over messages that are not for this client.
  #skip(id: string): void {
    for (const entry of id.split(",").slice(1)) {
      const [name = "", place = ""] = entry.split("=").map(String);
      const [epoch = "", offset = ""] = place.split(".");
      const room = this.#rooms.get(decodeURIComponent(name));
      const at = { epoch: decodeURIComponent(epoch), offset: Number(offset) };
      if (!room?.at || !offset || (room.at.epoch === at.epoch && room.at.offset >= at.offset)) continue;
      room.at = at;
      this.#tell({ op: "skip", room: decodeURIComponent(name), ...at });
    }
  }

  #welcome(frame: Frame): void {
    this.#stop();
    this.#ping = (frame.ping_ms as number | undefined) ?? PING;
    for (const { id, room } of this.#tokens.splice(0)) this.#tell({ op: "ok", id, room, expires_ms: frame.expires_ms });
    const hello = this.#hello;
    if (hello) {
      this.#hello = undefined;
      this.#session ??= frame.session as string;
      const limits = frame.limits as Limits | undefined;
      this.#most = Math.min(ROOMS, limits?.burst || ROOMS);
      this.#tell({ ...frame, id: hello.id, limits: { ...limits, rooms: this.#most } });
    }
    // Before the welcome the client takes no answers.
    for (const frame of this.#over.splice(0)) this.#tell(frame);
  }

  #joined(frame: Frame, room: Followed | undefined, at: Position | undefined): void {
    const name = frame.room!;
    this.#answered(name);
    if (!room) this.#rooms.set(name, (room = { at, served: true }));
    const { join, inside } = room;
    room.at ??= at;
    room.inside = true;
    room.join = room.history = undefined;
    if (room.served) return inside ? undefined : this.#tell(frame);
    if (join !== undefined || !inside) this.#tell({ ...frame, op: "ok", id: join });
  }

  #answered(room: string): void {
    this.#asked.delete(room);
  }

  async #request(request: Request): Promise<void> {
    if (this.readyState !== 1) return;
    const { op, id, room, method, data, key, tags, echo, traceparent, tracestate } = request;
    let again = 0;
    const url = new URL(this.#post!, (globalThis.location as Location | undefined)?.href);
    const { searchParams } = url;
    if (op === "call") searchParams.set("method", method as string);
    else searchParams.set("room", room!);
    if (tags) searchParams.set("tags", JSON.stringify(tags));
    if (echo === false) searchParams.set("echo", "false");
    if (this.#session) searchParams.set("session", this.#session);
    // A publication that is not answered may be sent again. A call takes as long as it takes.
    const abort = new AbortController();
    const stop = op === "publish" ? deadline(ANSWER, () => abort.abort()) : Boolean;
    try {
      const response = await fetch(url, {
        method: "POST",
        signal: abort.signal,
        body: data === undefined ? "null" : JSON.stringify(data),
        headers: {
          "Content-Type": "application/json",
          ...(this.#token && { Authorization: "Bearer " + this.#token }),
          ...(key !== undefined && { "Idempotency-Key": quoted(key as string) }),
          ...(traceparent ? { traceparent: traceparent as string } : {}),
          ...(tracestate ? { tracestate: tracestate as string } : {}),
        },
        credentials: "include",
      });
      const answer = (await response.json()) as Frame;
      // A publication is sent again, and stored once.
      if (response.status === 503 && op === "publish")
        this.#end(1013, JSON.stringify({ retry_after_ms: answer.retry_after_ms ?? 1e3, spread_ms: 1e3 }));
      else if (answer.code === "rate_limited" && !answer.room && op === "publish" && (answer.retry_after_ms ?? 0) < PATIENCE)
        again = answer.retry_after_ms || 1e3;
      else this.#tell({ ...answer, id });
    } catch {
      this.#end(1006);
    } finally {
      stop();
    }
    if (!again) return;
    // What is published after it has to wait too, to stay behind it.
    await new Promise((resolve) => setTimeout(resolve, again));
    await this.#request(request);
  }
}
