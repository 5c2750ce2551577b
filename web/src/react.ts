// Hooks for React 18 and later.

import { useCallback, useSyncExternalStore } from "react";
import { watchMembers } from "./members.js";
import type { Gap, Hub, Member, Message, Position, PublishOptions, Room, State } from "./types.js";
import type { HubError } from "./errors.js";

const LINGER = 1e3; // how long a room is kept that no component uses, in milliseconds
const LIMIT = 500;

/** Options of `useRoom`. They are those of the first component that uses the room. */
export interface RoomOptions {
  /** Begin with this many of the newest messages. */
  history?: number;
  /** How many messages are kept, of which the newest. The default is 500. */
  limit?: number;
}

/** What a component sees of a room. The object changes whenever something in it does. */
export interface RoomView<T = unknown> {
  readonly status: Room["status"];
  /** The newest messages, oldest first. */
  readonly messages: readonly Message<T>[];
  /** The last gap. */
  readonly gap: Gap | undefined;
  /** Why the server does not let the client in, or has taken it out. */
  readonly error: HubError | undefined;
  /** Publishes to the room: see `Room.publish`. */
  readonly publish: (data: T, options?: PublishOptions) => Promise<Position | undefined>;
}

// A room that components share.
interface Shared {
  readonly room: Room;
  view: RoomView;
  members: readonly Member[];
  readonly notify: Set<() => void>;
  watching: number; // components that want to know the members
  unwatch: () => void;
  timer: ReturnType<typeof setTimeout> | undefined;
  readonly end: () => void;
}

const rooms = new WeakMap<Hub, Map<string, Shared>>();
const nobody: readonly Member[] = [];

/** Returns the state of the connection. */
export function useHub(hub: Hub): State {
  const subscribe = useCallback((notify: () => void) => hub.on({ onState: notify }), [hub]);
  const get = () => hub.state;
  return useSyncExternalStore(subscribe, get, get);
}

/**
 * Joins a room as long as a component is mounted that uses it, and returns its messages. Components that use the same room share one
 * subscription.
 */
export function useRoom<T = unknown>(hub: Hub, name: string, { history, limit = LIMIT }: RoomOptions = {}): RoomView<T> {
  const subscribe = useCallback((notify: () => void) => use(hub, name, notify, history, limit), [hub, name, history, limit]);
  const get = () => rooms.get(hub)?.get(name)?.view ?? empty(hub, name);
  return useSyncExternalStore(subscribe, get, get) as RoomView<T>;
}

/** Joins a room as long as a component is mounted that uses it, and returns who is in it. */
export function usePresence<Info = unknown>(hub: Hub, name: string): readonly Member<Info>[] {
  const subscribe = useCallback(
    (notify: () => void) => {
      const release = use(hub, name, notify);
      const shared = rooms.get(hub)!.get(name)!;
      if (!shared.watching++) {
        shared.unwatch = watchMembers(shared.room, (members) => {
          shared.members = members;
          for (const f of shared.notify) f();
        });
      }
      return () => {
        if (!--shared.watching) shared.unwatch();
        release();
      };
    },
    [hub, name],
  );
  const get = () => rooms.get(hub)?.get(name)?.members ?? nobody;
  return useSyncExternalStore(subscribe, get, get) as readonly Member<Info>[];
}

const views = new WeakMap<Hub, Map<string, RoomView>>();

// The view of a room that no component uses yet: always the same object.
function empty(hub: Hub, name: string): RoomView {
  const all = views.get(hub) ?? new Map<string, RoomView>();
  views.set(hub, all);
  const view = all.get(name) ?? {
    status: "joining",
    messages: [],
    gap: undefined,
    error: undefined,
    publish: (data, options) => hub.publish(name, data, options),
  };
  all.set(name, view);
  return view;
}

function use(hub: Hub, name: string, notify: () => void, history?: number, limit = LIMIT): () => void {
  const all = rooms.get(hub) ?? new Map<string, Shared>();
  rooms.set(hub, all);
  const shared = all.get(name) ?? share(hub, name, history, limit, all);
  clearTimeout(shared.timer);
  shared.notify.add(notify);
  return () => {
    shared.notify.delete(notify);
    // A component that is mounted again at once, as in strict mode, finds the room as it was.
    if (!shared.notify.size) shared.timer = setTimeout(shared.end, LINGER);
  };
}

function share(hub: Hub, name: string, history: number | undefined, limit: number, all: Map<string, Shared>): Shared {
  const change = (part: Partial<RoomView>) => {
    shared.view = { ...shared.view, ...part, status: room.status };
    for (const notify of shared.notify) notify();
  };
  const handlers = {
    onMessage: (message: Message) => change({ messages: [...shared.view.messages, message].slice(-limit) }),
    onGap: (gap: Gap) => change({ gap }),
    onJoin: () => change({ error: undefined }),
    onError: (error: HubError) => change({ error }),
    onLeft: (error: HubError) => change({ error }),
  };
  // A room of the application's own, or of the server's, is looked at and not left.
  const before = hub.room(name);
  const room = before ?? hub.subscribe(name, { ...(history ? { history } : {}) });
  const off = room.on(handlers);
  const offState = hub.on({ onState: () => change({}) });
  const shared: Shared = {
    room,
    view: { ...empty(hub, name), status: room.status },
    members: nobody,
    notify: new Set(),
    watching: 0,
    unwatch: () => {},
    timer: undefined,
    end() {
      all.delete(name);
      off();
      offState();
      if (!before) room.leave();
    },
  };
  all.set(name, shared);
  return shared;
}
