// What the application sees.

import type { HubError } from "./errors.js";

/** A place in the history of a room. Positions of different epochs cannot be compared. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** A message of a room or, without `room`, one that the server sent to this user or connection alone. */
export interface Message<T = unknown> {
  readonly room?: string;
  readonly data: T;
  /** A binary payload, in base64; `data` is undefined then. */
  readonly bin?: string | undefined;
  /** The position of the message, in rooms with history. */
  readonly epoch?: string;
  readonly offset?: number;
  /** Who published it, as far as the room shows that. */
  readonly from?: Publisher;
  /** When it was published, by the server's clock, in milliseconds since 1970; absent if the server does not say. */
  readonly time?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** The W3C trace context of the publication. */
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** Who published a message. A room may show less than all of it. */
export interface Publisher<Info = unknown> {
  readonly conn?: string;
  readonly user?: string;
  readonly info?: Info;
}

/**
 * Messages after `from`, up to and including `to`, are lost to this client. `from` is absent if the room had no position.
 */
export interface Gap {
  readonly room: string;
  readonly from?: Position;
  readonly to: Position;
}

/** A connection that is present in a room. */
export interface Member<Info = unknown> {
  readonly conn: string;
  readonly user?: string;
  readonly info?: Info;
}

/**
 * A change of who is in a room. After "changed" a list that you keep is no longer right: wait a random time up to `spreadMs`,
 * and ask for the list with `room.presence()`.
 */
export type PresenceEvent<Info = unknown> =
  | { readonly type: "join" | "leave"; readonly member: Member<Info> }
  | { readonly type: "changed"; readonly count?: number; readonly spreadMs: number };

/** A page of those who are in a room. */
export interface Presence<Info = unknown> {
  /** How many members the room has. */
  readonly count: number;
  /** How many users they are, if the server says so. */
  readonly users?: number;
  readonly members: readonly Member<Info>[];
  /** The `after` of the next page; absent on the last one. */
  readonly next?: string;
}

/** A page of a room's history. */
export interface HistoryPage<T = unknown> {
  readonly messages: readonly Message<T>[];
  /** Whether there are further messages in this direction. Ask for them from the last message of this page. */
  readonly more: boolean;
  /** The newest position of the room. */
  readonly newest?: Position;
}

/**
 * The state of the connection.
 *
 * - `idle`: nobody has called `open()` yet.
 * - `connecting`: an attempt to connect is under way.
 * - `open`: the server has welcomed the client, and rooms are being resumed.
 * - `stale`: open, but the server does not hear the other nodes. Their messages are late.
 * - `waiting`: the next attempt begins at `until` (milliseconds, as of `Date.now()`). `loop` counts the connections in a row that
 *   ended for the same reason, with nothing new in between: from 5 on, the client slows down.
 * - `closed`: there is no next attempt until `open()` is called. `error` says why; it is absent after `close()`.
 */
export type State =
  | { readonly status: "idle" | "connecting" }
  | { readonly status: "open" | "stale"; readonly conn: string; readonly node: string; readonly data?: unknown }
  | { readonly status: "waiting"; readonly until: number; readonly error: HubError; readonly loop: number }
  | { readonly status: "closed"; readonly error?: HubError | undefined };

/** Bounds one request. */
export interface RequestOptions {
  /** Milliseconds until the request fails with "timeout"; 0 for never. The default is that of the hub. */
  timeout?: number;
  /** Gives the request up. Whether the server carried it out is then unknown. */
  signal?: AbortSignal;
}

/** Options of `send`. */
export interface SendOptions extends RequestOptions {
  /** A binary payload, in base64, in place of `data`, which must be undefined. */
  bin?: string;
}

/** Options of `publish`. */
export interface PublishOptions extends SendOptions {
  /** The idempotency key, 1 to 128 bytes. Of several publications with the same key, the server takes one. The default is random. */
  key?: string;
  /** Tags that the message carries: at most 16, with keys of 1 to 64 bytes and values of at most 256. */
  tags?: Readonly<Record<string, string>>;
  /** The W3C trace context that the publication is part of: the values of the headers of these names. */
  traceparent?: string;
  tracestate?: string;
  /** False: the client is not sent its own message, also if it comes back before that has reached it. */
  echo?: boolean;
}

/** Options of `presence`. */
export interface PresenceOptions extends RequestOptions {
  /** Ask for the numbers alone. */
  count?: boolean;
  /** The `next` of the page before. */
  after?: string;
  /** The largest number of members. */
  limit?: number;
}

/** Options of `history`. */
export interface HistoryOptions extends RequestOptions {
  /** Read after this position, or before it if `reverse`. A message is a position. */
  from?: Message | Position;
  /** The largest number of messages, 1 to 1000. The server may return fewer. The default is 100. */
  limit?: number;
  /** Newest first. */
  reverse?: boolean;
}

/** Callbacks of a room. They are called one at a time, in the order in which things happened. */
export interface RoomHandlers<T = unknown, Info = unknown> {
  /** A message. In a room with history, messages come in order, each once. */
  onMessage?(message: Message<T>): void;
  /** Messages are lost to this client. Without this callback, the loss is a warning on the console. */
  onGap?(gap: Gap): void;
  /** A member came or went, or so many did that the server does not tell each. */
  onPresence?(event: PresenceEvent<Info>): void;
  /** The server has let the client in. If `resumed`, the room goes on where it was: what was missed follows. */
  onJoin?(event: { readonly resumed: boolean }): void;
  /**
   * The server has refused the room. The client tries again by itself: soon if the refusal is temporary, when another room is left
   * after "too_many_rooms", and otherwise with the next connection. Without this callback, the refusal is a warning on the console.
   */
  onError?(error: HubError): void;
  /**
   * The server has taken the client out of the room, with a code such as "removed" or "expired". The room does not come back by
   * itself, unless the code is "unavailable"; you may subscribe again.
   */
  onLeft?(error: HubError): void;
}

/** Callbacks and options of a subscription. */
export interface SubscribeOptions<T = unknown, Info = unknown> extends RoomHandlers<T, Info> {
  /** Begin with this many of the newest messages. Ignored with a position. */
  history?: number;
  /** Go on from this position, such as one that `room.position` gave earlier. */
  position?: Position;
}

/** A room that the client is in, over all connections. */
export interface Room<T = unknown, Info = unknown> {
  readonly name: string;
  /** `joined` holds on the present connection; `left` is final. */
  readonly status: "joining" | "joined" | "left";
  /** The position of the last message whose callback has returned; undefined in rooms without history. */
  readonly position: Position | undefined;
  /** The server does not take publications of this client in the room. */
  readonly readOnly: boolean;
  /** Adds callbacks, and returns what takes them away. */
  on(handlers: RoomHandlers<T, Info>): () => void;
  /**
   * Publishes to the room; resolves with the position of the message, in rooms with history. Publications keep their order. One
   * made without a connection waits in the queue, and one whose answer was lost is sent again: the server stores it once.
   */
  publish(data: T, options?: PublishOptions): Promise<Position | undefined>;
  /** Asks who is in the room. */
  presence(options?: PresenceOptions): Promise<Presence<Info>>;
  /** Reads the history of the room, page by page. */
  history(options?: HistoryOptions): Promise<HistoryPage<T>>;
  /** Leaves the room: no callback follows. */
  leave(): void;
}

/** Callbacks of the hub. They are called one at a time, in the order in which things happened. */
export interface HubHandlers {
  /** The connection has changed. */
  onState?(state: State): void;
  /** A message to this user or connection, or one of a room that the server put the client into and that has no handler. */
  onMessage?(message: Message): void;
  /** The server has put the client into a room. Its messages follow this call, so add handlers in it: `room.on({ … })`. */
  onServerJoin?(room: Room): void;
  /** Something failed that no request and no room waits for. Without this callback, it is a warning on the console. */
  onError?(error: HubError): void;
}

/** What the token is for. */
export interface TokenRequest {
  /** The room whose grant ends; absent if the identity is asked for. */
  readonly room?: string;
  /** Aborted when the attempt that asked has ended. */
  readonly signal: AbortSignal;
}

/** The part of `sessionStorage` that `persist` uses. */
export interface StorageLike {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** Keeps positions over a reload of the page: `persist` makes one. It is given the rooms and the connection, now and for later. */
export type PositionStore = (
  rooms: ReadonlyMap<string, Room>,
  connection: { ticket?: string | undefined; session?: unknown },
) => {
  /** Returns the position that was kept of a room, once. */
  take(room: string): Position | undefined;
  /** Something is to be written soon. */
  touch(): void;
  /** Everything is to be written now: the page goes. */
  write(): void;
};

/** A WebSocket class: that of the browser, of Node 22 and later, or of the package `ws`. */
export type WebSocketClass = new (url: string, protocol: string) => WebSocketLike;

/** The part of a WebSocket that the client uses. */
export interface WebSocketLike {
  readonly protocol: string;
  readonly readyState?: number;
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** Options of `connect`. Times are in milliseconds. */
export interface ConnectOptions extends HubHandlers {
  /**
   * Returns the token for the hub's authenticator. It is called before every attempt to connect, and again before the token expires.
   * An error counts as a failed attempt; a HubError with code "unauthorized" or "forbidden" is final.
   */
  token?: (request: TokenRequest) => string | Promise<string>;
  /** Connect only when `open()` is called. */
  lazy?: boolean;
  /** How long calls and questions may take, unless they say so themselves. The default is 30,000; 0 is without limit. */
  timeout?: number;
  /** The largest number of requests that wait to be sent or answered. The default is 1024. */
  queue?: number;
  /** The most bytes of such requests together. The default is 8 MiB. */
  queueBytes?: number;
  /**
   * For how long after it was first sent a publication without an answer is sent again. It must be shorter than the time for which
   * the server remembers idempotency keys. The default is 240,000.
   */
  retryWindow?: number;
  /** Where positions outlive a reload of the page: `persist(sessionStorage)`. By default they do not. */
  store?: PositionStore;
  /** The WebSocket class. The default is the global one. */
  WebSocket?: WebSocketClass;
}

/** A connection to a hub, made again whenever it is lost. */
export interface Hub {
  readonly state: State;
  /** Adds callbacks, and returns what takes them away. */
  on(handlers: HubHandlers): () => void;
  /** Connects: from `idle`, again after `closed`, or at once while `waiting`. */
  open(): void;
  /** Closes the connection for good: all requests fail with "closed". `open()` connects again, with all rooms. */
  close(): void;
  /** Drops the connection and makes it anew, `after` milliseconds from now. The default is 0. */
  reconnect(after?: number): void;
  /**
   * Joins a room, now or with the next connection, and again after every reconnect. A room has one subscription:
   * for a second, this throws; add handlers with `room.on` instead.
   */
  subscribe<T = unknown, Info = unknown>(room: string, options?: SubscribeOptions<T, Info>): Room<T, Info>;
  /** The room of this name that the client or the server has joined. */
  room<T = unknown, Info = unknown>(name: string): Room<T, Info> | undefined;
  /** Publishes to a room, which need not be subscribed: see `Room.publish`. */
  publish(room: string, data: unknown, options?: PublishOptions): Promise<Position | undefined>;
  /** Calls a method of the application. It is sent at most once: "disconnected" says that it may have run. */
  call<Out = unknown>(method: string, data?: unknown, options?: RequestOptions): Promise<Out>;
  /** Sends data to the application, and resolves when it was handled. It is sent at most once. */
  send(data: unknown, options?: SendOptions): Promise<void>;
}
