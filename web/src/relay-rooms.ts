// The rooms of a relay: the relay is in each once, and each tab has a position of its own in it.

import type { HubError } from "./errors.js";
import { errorFrame } from "./link.js";
import type { Hub, Message, Position, Room, RoomHandlers } from "./types.js";

const RECENT = 128; // messages of a room that are kept for tabs which are a little behind
const RECENT_SIZE = 2 ** 18; // characters of them together
const PAGE = 1000;
const SERVED = 5e3; // for the server to put a tab's room back

/** A tab. */
export interface Link {
  readonly id: string;
  readonly abort: AbortController;
  hello?: Record<string, unknown>;
  welcomed: boolean;
  /** Frames that the tab has not confirmed. */
  unheard: number;
  heard: number;
  /** Rooms that an earlier relay was put into by the server. */
  readonly wants: Map<string, Position | undefined>;
}

// A tab that wants into a room.
interface Ask {
  readonly link: Link;
  readonly op: "ok" | "joined";
  readonly id?: number | undefined;
  readonly from?: Position | undefined;
  readonly history?: number | undefined;
}

interface Item {
  readonly at: Position | undefined;
  readonly text: string;
}

// A tab that is in a room. What comes is held while it catches up.
interface Member {
  at: Position | undefined;
  held?: Item[] | undefined;
}

interface Shared {
  readonly room: Room;
  /** The position of the relay. */
  at: Position | undefined;
  readonly served: boolean;
  readonly members: Map<Link, Member>;
  asks: Ask[];
  recent: Item[];
  size: number;
}

const place = ({ epoch, offset }: { epoch?: string; offset?: number }): Position | undefined =>
  epoch ? { epoch, offset: offset ?? 0 } : undefined;

const reached = (at: Position | undefined, to: Position) => !!at && at.epoch === to.epoch && at.offset >= to.offset;

/** Makes the rooms of a relay. `tidy` has tidy called later. */
export function createRelayRooms(send: (to: Link[], frame: object | string) => void, hub: () => Hub, tidy: () => void) {
  const all = new Map<string, Shared>();

  const create = (room: Room, at: Position | undefined, served: boolean): Shared => {
    const s: Shared = { room, at, served, members: new Map(), asks: [], recent: [], size: 0 };
    all.set(room.name, s);
    return s;
  };

  const handlersOf = (get: () => Shared): RoomHandlers => ({
    onJoin({ resumed }) {
      const s = get();
      if (!resumed) s.at = s.room.position;
      const { asks } = s;
      s.asks = [];
      for (const ask of asks) answer(s, ask);
    },
    onMessage: (message) => {
      const s = get();
      const at = place(message);
      for (const item of [...skips(s, s.at, at), { at, text: JSON.stringify({ op: "message", ...message }) }]) {
        if (item.at) {
          s.at = item.at;
          s.size += item.text.length;
          s.recent.push(item);
          while (s.recent.length > RECENT || s.size > RECENT_SIZE) s.size -= s.recent.shift()!.text.length;
        }
        deliver(s, item);
      }
    },
    onGap: ({ from, to }) => {
      const s = get();
      s.at = to;
      s.recent = [];
      s.size = 0;
      const item = gapItem(s, to);
      const behind: Link[] = [];
      for (const [link, member] of s.members) {
        // What the relay has lost may be stored for a tab that was ahead of it.
        if (!member.held && from && member.at && !reached(from, member.at) && !reached(member.at, to)) void fill(s, link, member);
        else if (pass(member, item)) behind.push(link);
      }
      send(behind, item.text);
    },
    onPresence: (event) => {
      const s = get();
      const { name: room } = s.room;
      const frame =
        event.type === "changed"
          ? { op: "presence", room, data: { count: event.count }, spread_ms: event.spreadMs }
          : { op: event.type, room, data: event.member };
      deliver(s, { at: undefined, text: JSON.stringify(frame) });
    },
    onError: (error) => refused(get(), error),
    onLeft: (error) => {
      const s = get();
      all.delete(s.room.name);
      send(everybody(s), errorFrame(error, undefined, s.room.name, "left"));
    },
  });

  const everybody = (s: Shared): Link[] => [...new Set([...s.members.keys(), ...s.asks.map((ask) => ask.link)])];

  const gapItem = (s: Shared, at: Position): Item => ({ at, text: JSON.stringify({ op: "gap", room: s.room.name, ...at }) });

  // What lies between two positions when there was no gap: messages that the connection is not sent.
  function* skips(s: Shared, after: Position | undefined, before: Position | undefined): Generator<Item> {
    if (!after || !before || after.epoch !== before.epoch) return;
    for (let { offset } = after; ++offset < before.offset;) {
      const at = { epoch: after.epoch, offset };
      yield { at, text: JSON.stringify({ op: "skip", room: s.room.name, ...at }) };
    }
  }

  // Reports whether a member is to be sent an item now.
  const pass = (member: Member, item: Item): boolean => {
    if (member.held) member.held.push(item);
    else if (!item.at || !reached(member.at, item.at)) {
      member.at = item.at ?? member.at;
      return true;
    }
    return false;
  };

  const deliver = (s: Shared, item: Item) => {
    const to: Link[] = [];
    for (const [link, member] of s.members) if (pass(member, item)) to.push(link);
    send(to, item.text);
  };

  // The hub tries again what may succeed later. A tab that asks again waits for it.
  const refused = (s: Shared, error: HubError) => {
    const { asks } = s;
    s.asks = [];
    for (const { link, id } of asks) send([link], errorFrame(error, id, s.room.name));
    if (error.code === "too_many_rooms") s.asks = asks.map(({ link, from, history }) => ({ link, from, history, op: "joined" }));
    else if (!/^(rate_limited|busy|unavailable)$/.test(error.code) && !s.members.size) {
      all.delete(s.room.name);
      s.room.leave();
    }
  };

  // Lets a tab into a room that the relay is in.
  const answer = (s: Shared, { link, op, id, from, history }: Ask) => {
    const { name, readOnly } = s.room;
    if (!s.at && (from || history)) return send([link], { op: "error", id, room: name, code: "no_history" });
    const member: Member = { at: from ?? s.at };
    s.members.set(link, member);
    const enter = (at: Position | undefined) => {
      member.at = at;
      send([link], { op, id, room: name, ...at, read_only: readOnly || undefined });
    };
    if (from) {
      enter(from);
      // Nothing was published in either epoch yet.
      if (!reached(from, s.at!) && (from.offset || s.at!.offset)) void fill(s, link, member);
    } else if (history && s.at) void lookBack(s, link, member, history, enter, id);
    else enter(s.at);
  };

  // Brings a tab to where the relay is.
  const fill = async (s: Shared, link: Link, member: Member) => {
    const to = s.at!;
    const from = member.at!;
    const first = s.recent[0]?.at;
    if (first && (from.offset ? first.epoch === from.epoch && first.offset <= from.offset + 1 : first.offset === 1)) {
      for (const item of s.recent) if (pass(member, item)) send([link], item.text);
      return;
    }
    const held = (member.held = []);
    try {
      for (let at = from, more = true; more; at = member.at!) {
        const page = await s.room.history({ from: at, limit: PAGE, signal: link.abort.signal });
        for (const message of page.messages) give(s, link, member, message);
        more = page.more && page.messages.length > 0;
      }
    } catch (error) {
      if (s.members.get(link) !== member) return;
      if ((error as HubError).code !== "gone") {
        // The tab joins again, from where it is.
        s.members.delete(link);
        send([link], { op: "left", room: s.room.name, code: "unavailable", retry_after_ms: 1000 });
        return;
      }
      member.at = to;
      send([link], gapItem(s, to).text);
    }
    release(s, link, member, held);
  };

  // Sends a tab the newest messages.
  const lookBack = async (s: Shared, link: Link, member: Member, n: number, enter: (at?: Position) => void, id?: number) => {
    const held: Item[] = (member.held = []);
    const newest: Message[] = [];
    try {
      for (let more = true; more && newest.length < n;) {
        const limit = Math.min(PAGE, n - newest.length);
        const page = await s.room.history({ from: newest.at(-1)!, limit, reverse: true, signal: link.abort.signal });
        newest.push(...page.messages);
        more = page.more && page.messages.length > 0;
      }
    } catch (error) {
      if (s.members.get(link) !== member) return;
      s.members.delete(link);
      send([link], errorFrame(error, id, s.room.name));
      return;
    }
    if (s.members.get(link) !== member) return;
    const { epoch, offset } = newest.at(-1) ?? {};
    enter(epoch ? { epoch, offset: offset! - 1 } : s.at);
    for (const message of newest.reverse()) give(s, link, member, message);
    release(s, link, member, held);
  };

  const give = (s: Shared, link: Link, member: Member, message: Message) => {
    const at = place(message);
    for (const { text } of skips(s, member.at, at)) send([link], text);
    member.at = at;
    send([link], { op: "message", ...message });
  };

  const release = (s: Shared, link: Link, member: Member, held: Item[]) => {
    if (s.members.get(link) !== member) return;
    member.held = undefined;
    for (const item of held) if (pass(member, item)) send([link], item.text);
  };

  const enter = (name: string, ask: Ask) => {
    let s = all.get(name);
    if (!s) {
      try {
        const { from, history } = ask;
        const room = hub().subscribe(name, {
          ...(from ? { position: from } : history ? { history } : {}),
          ...handlersOf(() => s!),
        });
        s = create(room, from, false);
        ask = { ...ask, history: undefined }; // it comes behind the answer
      } catch (error) {
        return send([ask.link], { ...errorFrame(error, ask.id, name), code: "bad_room" });
      }
    }
    // A tab asks once.
    s.asks = s.asks.filter((other) => other.link !== ask.link);
    if (s.room.status === "joined") answer(s, ask);
    else s.asks.push(ask);
  };

  return {
    join: (link: Link, { id, room, history, ...at }: { id: number; room: string; history?: number; epoch?: string; offset?: number }) =>
      enter(room, { link, op: "ok", id, from: place(at), history }),

    leave(link: Link, name: string): void {
      const s = all.get(name);
      s?.members.delete(link);
      if (s) s.asks = s.asks.filter((ask) => ask.link !== link);
      if (s && !everybody(s).length) {
        all.delete(name);
        s.room.leave();
      }
    },

    /** The tab has named these rooms in its hello. */
    resume(link: Link, rooms: { room: string; epoch?: string; offset?: number; joined?: boolean }[]): void {
      for (const { room, joined, ...at } of rooms) {
        const s = all.get(room);
        if (!joined || (s && !s.served)) enter(room, { link, op: "ok", from: place(at) });
        else if (s) enter(room, { link, op: "joined", from: place(at) });
        else link.wants.set(room, place(at));
      }
      if (!link.wants.size) return;
      const timer = setTimeout(() => {
        for (const room of link.wants.keys()) send([link], { op: "left", room, code: "removed" });
        link.wants.clear();
      }, SERVED);
      link.abort.signal.addEventListener("abort", () => clearTimeout(timer));
    },

    /** The tab was welcomed: it is in the rooms that the server has put the relay into. */
    welcome(link: Link): void {
      const named = new Set(((link.hello!.resume ?? []) as { room: string }[]).map(({ room }) => room));
      for (const [name, s] of all) if (s.served && !named.has(name)) enter(name, { link, op: "joined" });
    },

    /** The server has put the relay into a room. */
    served(room: Room, links: Link[]): void {
      const s = create(room, undefined, true);
      room.on(handlersOf(() => s));
      for (const link of links) {
        s.asks.push({ link, op: "joined", from: link.wants.get(room.name) });
        link.wants.delete(room.name);
      }
    },

    /** The tab is gone. */
    drop(link: Link): void {
      for (const s of all.values()) {
        s.members.delete(link);
        s.asks = s.asks.filter((ask) => ask.link !== link);
      }
      tidy();
    },

    /** Leaves the rooms that no tab is in. */
    tidy(): void {
      for (const [name, s] of all) {
        if (everybody(s).length) continue;
        all.delete(name);
        s.room.leave();
      }
    },

    /** The hub is closed. */
    clear(): void {
      for (const s of all.values()) s.room.leave();
      all.clear();
    },
  };
}
