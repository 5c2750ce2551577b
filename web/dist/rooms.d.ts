import type { Connection } from "./connection.js";
import { type Emitter } from "./emitter.js";
import { type Frame } from "./frames.js";
import type { Queue } from "./queue.js";
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
export declare function createRooms(core: Core): {
    all: Map<string, InnerRoom>;
    /** Joins a room, now or with the next connection. */
    subscribe(name: string, { history, position, ...handlers }: api.SubscribeOptions<never, never>): InnerRoom;
    /** Returns the rooms that a hello names, as far as the limits allow. */
    names(most: number, size: number): unknown[];
    /** Joins and leaves what the hello could not know of. */
    welcome(): void;
    /** The connection is lost. */
    lost(): void;
    /** Handles a frame that names a room and answers no request. */
    frame(frame: Frame): void;
};
/** Reports whether a value is a position that a server takes. */
export declare function isPosition(value: unknown): value is api.Position;
export {};
