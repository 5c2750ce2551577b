// The rooms of a hub: joined, resumed, refused, left.

import { random } from "./backoff.js";
import type { Connection } from "./connection.js";
import { createEmitter, type Emitter } from "./emitter.js";
import { bytes, check, checkRoom, type HubError } from "./errors.js";
import { failure, positionOf, type Frame } from "./frames.js";
import type { Queue } from "./queue.js";
import { REJOIN } from "./times.js";
import type * as api from "./types.js";

type Status = api.Room["status"];

/** A room that the client or the server has joined. */
export interface InnerRoom extends api.Room, Emitter<api.RoomHandlers> {
  status: Status;
  position: api.Position | undefined;
  readOnly: boolean;
  /** What comes is to follow it; undefined before there was any. */
  next: api.Position | undefined;
  /** Join with this many of the newest messages. */
  readonly newest: number | undefined;
  /** The server has joined it for the client. */
  served?: boolean;
  /** It was named by the hello of the present attempt, and is not answered yet. */
  asked?: boolean;
  /** It was refused because the connection is in too many rooms. */
  crowded?: boolean;
  /** The client has been in it, on any connection. */
  inside?: boolean;
}

/** What rooms ask of the hub. */
export interface Core {
  readonly queue: Queue;
  readonly connection: Connection;
  readonly handlers: Emitter<api.HubHandlers>;
  publish(room: string, data: unknown, options?: api.PublishOptions): Promise<api.Position | undefined>;
  presence(room: string, options?: api.PresenceOptions): Promise<api.Presence>;
  history(room: string, options?: api.HistoryOptions): Promise<api.HistoryPage>;
  /** The position of a room has changed. */
  touch(): void;
  /** The grant of a room ends after a time. */
  expires(ms: number | undefined, room: string): void;
}

export type Rooms = ReturnType<typeof createRooms>;

/** Makes the rooms of a hub. */
export function createRooms(core: Core) {
  const { queue, connection, handlers: hub } = core;
  const all = new Map<string, InnerRoom>();
  let timers: ReturnType<typeof setTimeout>[] = []; // of joins to be tried again
  let named: InnerRoom[] = []; // by the hello

  const create = (name: string, position?: api.Position, newest?: number): InnerRoom => {
    const room: InnerRoom = {
      name,
      position,
      next: position,
      newest,
      status: "joining",
      readOnly: false,
      ...createEmitter<api.RoomHandlers>(),
      publish: (data, options) => core.publish(name, data, options),
      presence: (options) => core.presence(name, options),
      history: (options) => core.history(name, options),
      leave: () => {
        if (all.get(name) !== room) return;
        end(room);
        leave(name);
      },
    };
    all.set(name, room);
    return room;
  };

  const end = (room: InnerRoom, error?: HubError) => {
    room.status = "left";
    all.delete(room.name);
    core.touch();
    if (!error) return;
    room.tell("onLeft", error);
    joinCrowded();
  };

  const join = (room: InnerRoom) => {
    if (!connection.live || all.get(room.name) !== room) return;
    const { name, next, newest } = room;
    room.crowded = false;
    queue.add({ op: "join", room: name, ...(next ?? { history: newest }) }, (error, answer) => {
      if (all.get(name) !== room) return;
      if (answer?.op === "ok") entered(room, answer);
      else if (answer) refused(room, answer);
      else if (error!.code === "too_large") room.tell("onError", error!);
    });
    connection.pump();
  };

  const leave = (room: string) => {
    if (!connection.live) return;
    queue.add({ op: "leave", room }, (_, answer) => answer && joinCrowded());
    connection.pump();
  };

  // The oldest room that waits for another to be left.
  const joinCrowded = () => {
    for (const room of all.values()) if (room.crowded) return join(room);
  };

  const later = (room: InnerRoom, after: number) => {
    timers.push(setTimeout(() => join(room), after + random(after)));
  };

  // The server has let the client in. The stream starts after the position, or after the one that the client has named.
  const entered = (room: InnerRoom, frame: Frame) => {
    const { next } = room;
    room.status = "joined";
    room.readOnly = !!frame.read_only;
    room.asked = false;
    if (!room.inside) connection.progress = room.inside = true;
    room.next ??= positionOf(frame);
    if (!next) see(room);
    room.emit("onJoin", { resumed: !!next });
    core.expires(frame.expires_ms, room.name);
  };

  // What is refused for now is tried again on this connection, what is too much when another room is left, and the rest on the next
  // connection.
  const refused = (room: InnerRoom, frame: Frame) => {
    const { code = "" } = frame;
    room.asked = false;
    room.crowded = code === "too_many_rooms";
    if (/^(rate_limited|busy|unavailable)$/.test(code)) later(room, frame.retry_after_ms || REJOIN);
    // Joins that come fast are nothing to trouble the application with.
    if (code === "rate_limited") connection.slowDown();
    else room.tell("onError", failure({ ...frame, room: room.name }));
  };

  // Everything up to room.next was handled.
  const see = (room: InnerRoom) => {
    room.position = room.next;
    core.touch();
  };

  // The stream goes on after a position, and what is between is lost.
  const missed = (room: InnerRoom, to: api.Position) => {
    const from = room.next;
    room.next = to;
    connection.progress = true;
    room.tell("onGap", { room: room.name, from, to });
    see(room);
  };

  const message = (room: InnerRoom, frame: Frame, skip?: boolean) => {
    const at = positionOf(frame);
    const { next } = room;
    if (at && next) {
      // The first message of a room may bring another epoch: none had been published.
      const same = at.epoch === next.epoch || (!next.offset && at.offset === 1);
      if (same && at.offset <= next.offset) return; // a duplicate
      // The server should have said so.
      if (!same || at.offset !== next.offset + 1) missed(room, { epoch: at.epoch, offset: at.offset - 1 });
      if (room.status === "left") return; // by a callback
    }
    connection.progress = true;
    room.next = at ?? next;
    const { data, bin, from, time, tags, traceparent, tracestate } = frame;
    const value = { data, bin, from, time, tags, traceparent, tracestate, room: room.name, ...at } as api.Message;
    if (!skip && !room.emit("onMessage", value)) hub.emit("onMessage", value);
    if (at) see(room);
  };

  return {
    all,

    /** Joins a room, now or with the next connection. */
    subscribe(name: string, { history, position, ...handlers }: api.SubscribeOptions<never, never>): InnerRoom {
      checkRoom(name);
      check(!position || isPosition(position), "position");
      const before = all.get(name);
      check(!before || before.served, "second subscription");
      const room = before ?? create(name, position, history);
      room.served = false;
      room.on(handlers);
      if (!before) join(room);
      return room;
    },

    /** Returns the rooms that a hello names, as far as the limits allow. */
    names(most: number, size: number): unknown[] {
      const entries: unknown[] = [];
      named = [];
      for (const room of all.values()) {
        room.asked = room.crowded = false;
        if (named.length >= most || (room.newest && !room.next)) continue; // history is asked for by a join
        const entry = { room: room.name, ...room.next, joined: room.served || undefined };
        if ((size -= bytes(JSON.stringify(entry)) + 1) < 0) most = 0;
        else {
          entries.push(entry);
          named.push(room);
          room.asked = true;
        }
      }
      return entries;
    },

    /** Joins and leaves what the hello could not know of. */
    welcome(): void {
      for (const { name, status } of named) if (status === "left" && !all.has(name)) leave(name);
      let free = (connection.limits.rooms || Infinity) - named.length;
      for (const room of all.values()) {
        if (room.asked || room.served) continue;
        if (free-- > 0) join(room);
        else refused(room, { op: "error", code: "too_many_rooms" });
      }
    },

    /** The connection is lost. */
    lost(): void {
      timers.forEach(clearTimeout);
      timers = [];
      for (const room of all.values()) room.status = "joining";
    },

    /** Handles a frame that names a room and answers no request. */
    frame(frame: Frame): void {
      const { op, code, data, spread_ms = 0, retry_after_ms } = frame;
      let room = all.get(frame.room!);
      if (op === "joined") {
        if (!room) {
          room = create(frame.room!);
          room.served = true;
          hub.emit("onServerJoin", room);
        }
        return entered(room, frame);
      }
      if (!room) return; // under way since before a leave
      if (op === "left") {
        if (code !== "unavailable" || !retry_after_ms) return end(room, failure(frame));
        room.status = "joining";
        later(room, retry_after_ms);
      } else if (op === "error") {
        if (room.asked) refused(room, frame);
        else hub.tell("onError", failure(frame));
      } else if (op === "ok") {
        if (room.asked) entered(room, frame);
      } else if (room.status !== "joined") {
        return; // under way since before a join
      } else if (op === "message") {
        message(room, frame);
      } else if (op === "skip") {
        message(room, frame, true);
      } else if (op === "gap") {
        missed(room, positionOf(frame)!);
      } else if (op === "presence") {
        room.emit("onPresence", { type: "changed", spreadMs: spread_ms, ...(data as { count?: number }) });
      } else if (/^(join|leave)$/.test(op)) {
        room.emit("onPresence", { type: op, member: data as api.Member });
      }
    },
  };
}

/** Reports whether a value is a position that a server takes. */
export function isPosition(value: unknown): value is api.Position {
  const { epoch, offset } = (value ?? {}) as Record<string, unknown>;
  return !!epoch && typeof epoch === "string" && Number.isSafeInteger(offset) && (offset as number) >= 0;
}
