import type { Gap, Hub, Member, Message, Position, PublishOptions, Room, State } from "./types.js";
import type { HubError } from "./errors.js";
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
/** Returns the state of the connection. */
export declare function useHub(hub: Hub): State;
/**
 * Joins a room as long as a component is mounted that uses it, and returns its messages. Components that use the same room share one
 * subscription.
 */
export declare function useRoom<T = unknown>(hub: Hub, name: string, { history, limit }?: RoomOptions): RoomView<T>;
/** Joins a room as long as a component is mounted that uses it, and returns who is in it. */
export declare function usePresence<Info = unknown>(hub: Hub, name: string): readonly Member<Info>[];
