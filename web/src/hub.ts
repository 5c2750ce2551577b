// What connect returns: requests, and the parts put together.

import { createConnection } from "./connection.js";
import { deadline } from "./deadline.js";
import { createEmitter } from "./emitter.js";
import { HubError } from "./errors.js";
import { failure, positionOf, type Frame, type Outgoing } from "./frames.js";
import { watchPage } from "./page.js";
import { createQueue } from "./queue.js";
import { createRooms } from "./rooms.js";
import { createTokens } from "./tokens.js";
import type * as api from "./types.js";

let keys = 0;
const instance = "" + Math.random() + Math.random();

/**
 * Connects to the hub at a URL, which may be relative to the page: "/ws". The connection is made again whenever it is lost, until
 * `close()`, or until the server says that there is no coming back.
 */
export function connect(url: string | URL, options: api.ConnectOptions = {}): api.Hub {
  const address = new URL(url, (globalThis.location as Location | undefined)?.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.hash = "";
  const handlers = createEmitter<api.HubHandlers>();
  handlers.on(options);
  const queue = createQueue(options.queue ?? 1024, options.queueBytes ?? 2 ** 23, options.retryWindow ?? 24e4);
  const connection = createConnection(address, options, queue, {
    state: (state) => handlers.emit("onState", state),
    names: (most, size) => rooms.names(most, size),
    welcome: (frame) => {
      store?.touch();
      tokens.expires(frame.expires_ms);
      rooms.welcome();
    },
    frame: receive,
    lost: () => {
      tokens.stop();
      rooms.lost();
    },
  });
  const tokens = createTokens(options.token, handlers, async (frame) => {
    if (!connection.live) throw new HubError("disconnected");
    return request(frame, { timeout: 0 });
  });
  const rooms = createRooms({
    queue,
    connection,
    handlers,
    publish,
    async presence(room, options) {
      const { data } = await request({ op: "presence", room }, options);
      return { members: [], ...(data as object) } as never;
    },
    async history(room, { from, ...options } = {}) {
      const answer = await request({ op: "history", room, ...(from && positionOf(from)) }, options);
      const { messages, more } = answer.data as { messages: { offset: number; data: unknown }[]; more?: boolean };
      return {
        messages: messages.map((m) => ({ ...m, room, epoch: answer.epoch })),
        more: !!more,
        newest: positionOf(answer),
      };
    },
    touch: () => store?.touch(),
    expires: tokens.expires,
  });
  const store = options.store?.(rooms.all, connection);

  // What the options say beside how long to wait is said to the server.
  function request(frame: Outgoing, { signal, timeout = options.timeout ?? 3e4, ...more }: api.RequestOptions = {}): Promise<Frame> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (connection.state.status === "closed") throw new HubError("closed");
      const r = queue.add({ ...frame, ...more }, (error, answer) => {
        stop?.();
        signal?.removeEventListener("abort", abort);
        if (answer?.op === "error") error = failure(answer);
        if (error) reject(error);
        else resolve(answer!);
      });
      const giveUp = (error: unknown) => queue.settle(r, error as HubError);
      const abort = () => giveUp(signal!.reason);
      const stop = timeout ? deadline(timeout, () => giveUp(new HubError("timeout"))) : undefined;
      signal?.addEventListener("abort", abort);
      connection.pump();
    });
  }

  async function publish(room: string, data: unknown, options?: api.PublishOptions) {
    return positionOf(
      await request({ op: "publish", room, data }, {
        timeout: 0,
        ...options,
        key: options?.key ?? instance + keys++,
      } as api.PublishOptions),
    );
  }

  function receive(frame: Frame): void {
    const { op, id, room, code, data, bin, retry_after_ms } = frame;
    const r = queue.sent.get(id!);
    if (op === "error" && code === "rate_limited" && (!id || !room)) {
      // It is about the connection's rate; one that names the room of a request is the application's.
      connection.slowDown();
      if (r && queue.postpone(r, retry_after_ms)) return connection.pump();
    }
    if (id) {
      if (op === "ok" && r && !/^(join|leave)$/.test(r.op)) connection.progress = true;
      if (r) queue.settle(r, undefined, frame);
    } else if (op === "refresh") void tokens.renew(room);
    else if (room) rooms.frame(frame);
    else if (op === "message") handlers.emit("onMessage", { data, bin });
    else if (op === "error") handlers.tell("onError", failure(frame));
  }

  watchPage(connection, () => store?.write());
  if (!options.lazy) connection.open();

  return {
    get state() {
      return connection.state;
    },
    on: handlers.on,
    open: connection.open,
    close() {
      connection.close();
      store?.write();
    },
    reconnect: connection.reconnect,
    subscribe: (name, more = {}) => rooms.subscribe(name, { ...(more as object), position: more.position ?? store?.take(name) }) as never,
    room: (name) => rooms.all.get(name) as never,
    publish,
    async call(method, data, options) {
      return (await request({ op: "call", method, data }, options)).data as never;
    },
    async send(data, options) {
      await request({ op: "send", data }, options);
    },
  };
}
