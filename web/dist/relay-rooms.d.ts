import type { Hub, Position, Room } from "./types.js";
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
/** Makes the rooms of a relay. `tidy` has tidy called later. */
export declare function createRelayRooms(send: (to: Link[], frame: object | string) => void, hub: () => Hub, tidy: () => void): {
    join: (link: Link, { id, room, history, ...at }: {
        id: number;
        room: string;
        history?: number;
        epoch?: string;
        offset?: number;
    }) => void;
    leave(link: Link, name: string): void;
    /** The tab has named these rooms in its hello. */
    resume(link: Link, rooms: {
        room: string;
        epoch?: string;
        offset?: number;
        joined?: boolean;
    }[]): void;
    /** The tab was welcomed: it is in the rooms that the server has put the relay into. */
    welcome(link: Link): void;
    /** The server has put the relay into a room. */
    served(room: Room, links: Link[]): void;
    /** The tab is gone. */
    drop(link: Link): void;
    /** Leaves the rooms that no tab is in. */
    tidy(): void;
    /** The hub is closed. */
    clear(): void;
};
