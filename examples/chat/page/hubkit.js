// A client of the protocol hubkit.v1 for the browser, as PROTOCOL.md describes it: one WebSocket, made again
// when it is lost, rooms resumed by position, publications kept until they are answered.

import { backoff, comesBack, parseHint, wait } from "./pacing.js";

const SUBPROTOCOL = "hubkit.v1";

// Milliseconds.
const CONNECT_TIMEOUT = 10_000; // from the dial to the welcome
const PONG_TIMEOUT = 10_000;
const STABLE = 30_000; // a connection that lasted so long starts the backoff anew
const RETRY_WINDOW = 240_000; // the server remembers idempotency keys for 300,000

const OUTBOX = 100; // publications; fewer than a connection may send at once

const RETRY_ERRORS = new Set(["rate_limited", "busy", "unavailable"]);

// randomID also works on pages without TLS, where crypto.randomUUID does not exist.
export function randomID() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
}

export class Client {
  #url;
  #on; // state, joined, message, member, gap, refused: functions
  #ws = null;
  #live = false; // welcomed
  #welcomed = 0; // when
  #session;
  #pingMS = 0;
  #tries = 0;
  #nextID = 1;
  #requests = new Map(); // id -> {resolve, reject}
  #rooms = new Map(); // name -> {history, position}
  #outbox = []; // publications without an answer, oldest first
  #timers = {}; // connect, silence, away: one of each

  // on.state gets {status}, which is "connecting", "waiting" with until, "live", "stale", or "closed" with code and
  // reason; after "closed" nothing more happens.
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
  }

  connect() {
    this.#on.state({ status: "connecting" });
    const ws = new WebSocket(this.#url, SUBPROTOCOL);
    this.#ws = ws;
    ws.onopen = () => this.#hello();
    ws.onmessage = (e) => this.#receive(JSON.parse(e.data));
    ws.onclose = (e) => this.#lost(e.code, e.reason);
    this.#timer("connect", CONNECT_TIMEOUT, () => this.#drop());
  }

  close() {
    this.#forget();
    for (const p of this.#outbox.splice(0)) p.reject(new Error("closed"));
  }

  join(room, history) {
    this.#rooms.set(room, { history });
    if (this.#live) this.#join(room);
  }

  presence(room) {
    return this.#request({ op: "presence", room });
  }

  // publish resolves when the server has the message. Until then it is kept, and sent again after a
  // reconnect; the key makes that harmless.
  publish(room, data, key = randomID()) {
    if (this.#outbox.length >= OUTBOX) return Promise.reject(new Error("too many messages wait already"));
    return new Promise((resolve, reject) => {
      const p = { frame: { op: "publish", room, data, key }, sent: 0, resolve, reject };
      this.#outbox.push(p);
      if (this.#live) this.#publish(p);
    });
  }

  #hello() {
    if (this.#ws.protocol !== SUBPROTOCOL) {
      this.#end(0, "the server does not speak " + SUBPROTOCOL);
      return;
    }
    const resume = [];
    for (const [room, { position }] of this.#rooms) if (position) resume.push({ room, ...position });
    this.#send({ op: "hello", session: this.#session, resume });
  }

  #receive(f) {
    this.#watch();
    switch (f.op) {
      case "welcome":
        return this.#welcome(f);
      case "ok":
      case "error":
        return this.#answer(f);
      case "message":
        return this.#message(f);
      case "join":
      case "leave":
        return this.#on.member(f.room, f.data, f.op === "join");
      case "gap":
        if (!this.#rooms.has(f.room)) return;
        this.#rooms.get(f.room).position = { epoch: f.epoch, offset: f.offset };
        return this.#on.gap(f.room);
      case "stale":
      case "live":
        return this.#on.state({ status: f.op });
      case "goaway":
        return this.#timer("away", wait(f.retry_after_ms, f.spread_ms), () => {
          this.#forget();
          this.connect();
        });
    } // Later versions add ops: what is not known is ignored.
  }

  #welcome(f) {
    this.#live = true;
    this.#welcomed = Date.now();
    this.#session = f.session;
    this.#pingMS = f.ping_ms ?? 0;
    clearTimeout(this.#timers.connect);
    this.#watch();
    this.#on.state({ status: "live" });
    for (const [room, { position }] of this.#rooms) if (!position) this.#join(room);
    for (const p of [...this.#outbox]) {
      if (p.sent && Date.now() - p.sent > RETRY_WINDOW) {
        this.#settle(p, () => p.reject(new Error("it is not known whether it was sent")));
      } else {
        this.#publish(p);
      }
    }
  }

  #answer(f) {
    const request = this.#requests.get(f.id);
    if (f.id) this.#requests.delete(f.id);
    if (f.op === "error") {
      if (request) request.reject(f);
      else if (f.room) this.#refused(f.room, f);
    } else if (request) {
      request.resolve(f);
    } else if (this.#rooms.has(f.room)) {
      this.#joined(f.room, f); // a room of the hello
    }
  }

  #join(room) {
    const { history, position } = this.#rooms.get(room);
    this.#request({ op: "join", room, ...(position ?? { history }) }).then(
      (f) => this.#joined(room, f),
      (f) => f.code && this.#refused(room, f),
    );
  }

  #joined(room, { epoch, offset }) {
    if (epoch) this.#rooms.get(room).position = { epoch, offset: offset ?? 0 };
    this.#on.joined(room);
  }

  #refused(room, error) {
    if (RETRY_ERRORS.has(error.code)) {
      setTimeout(() => this.#live && this.#join(room), error.retry_after_ms ?? backoff(1));
      return;
    }
    this.#rooms.delete(room);
    this.#on.refused(room, error);
  }

  #message(f) {
    const room = this.#rooms.get(f.room);
    if (!room) return;
    if (f.offset) {
      const at = room.position;
      if (at?.epoch === f.epoch && f.offset <= at.offset) return; // seen
      if (at?.epoch === f.epoch && f.offset > at.offset + 1) return this.#drop(); // a hole: ask again
      room.position = { epoch: f.epoch, offset: f.offset };
    }
    this.#on.message(f.room, f.data);
  }

  #publish(p) {
    p.sent ||= Date.now();
    this.#request(p.frame).then(
      (f) => this.#settle(p, () => p.resolve(f)),
      (f) => {
        if (!f.code) return; // The connection is lost: it is sent again with the next.
        if (!RETRY_ERRORS.has(f.code)) return this.#settle(p, () => p.reject(f));
        setTimeout(() => this.#live && this.#outbox.includes(p) && this.#publish(p), f.retry_after_ms ?? backoff(1));
      },
    );
  }

  #settle(p, how) {
    this.#outbox = this.#outbox.filter((other) => other !== p);
    how();
  }

  // #request rejects with the error frame, or with an Error where the connection is lost.
  #request(frame) {
    return new Promise((resolve, reject) => {
      if (!this.#live) return reject(new Error("not connected"));
      const id = this.#nextID++;
      this.#requests.set(id, { resolve, reject });
      this.#send({ ...frame, id });
    });
  }

  #send({ op, id, ...rest }) {
    this.#ws.send(JSON.stringify({ op, id, ...rest }));
  }

  // Scripts cannot see WebSocket pings: a silent server is asked whether it is there.
  #watch() {
    if (!this.#live || !this.#pingMS) return;
    this.#timer("silence", this.#pingMS, () => {
      this.#request({ op: "ping" }).catch(() => {});
      this.#timer("silence", PONG_TIMEOUT, () => this.#drop());
    });
  }

  #drop() {
    this.#lost(1006, "");
  }

  #lost(code, reason) {
    if (this.#live && Date.now() - this.#welcomed >= STABLE) this.#tries = 0;
    this.#forget();
    if (!comesBack(code)) return this.#end(code, reason);
    const hint = parseHint(reason);
    const ms = hint ? wait(hint.after, hint.spread) : backoff(this.#tries++);
    this.#timer("connect", ms, () => this.connect());
    this.#on.state({ status: "waiting", until: Date.now() + ms });
  }

  #end(code, reason) {
    this.close();
    this.#on.state({ status: "closed", code, reason });
  }

  // #forget leaves the connection behind, whatever becomes of it.
  #forget() {
    for (const t of Object.values(this.#timers)) clearTimeout(t);
    this.#live = false;
    if (this.#ws) {
      this.#ws.onopen = this.#ws.onmessage = this.#ws.onclose = null;
      this.#ws.close();
      this.#ws = null;
    }
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const r of requests) r.reject(new Error("connection lost"));
  }

  #timer(name, ms, f) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(f, ms);
  }
}
