import { HubError } from "./errors.js";
import type { Frame, Limits } from "./frames.js";
import type { Queue } from "./queue.js";
import type { ConnectOptions, State } from "./types.js";
/** What a connection asks of its owner, and tells it. */
export interface Hooks {
    state(state: State): void;
    /** Returns the rooms that the hello names: at most so many, of so many bytes together. */
    names(rooms: number, size: number): unknown[];
    welcome(frame: Frame): void;
    frame(frame: Frame): void;
    /** The connection is lost. */
    lost(): void;
}
export type Connection = ReturnType<typeof createConnection>;
/** Makes the connection to a hub, over all WebSockets. */
export declare function createConnection(url: URL, options: ConnectOptions, queue: Queue, hooks: Hooks): {
    state: State;
    /** The server has welcomed the present WebSocket. */
    live: boolean;
    limits: Limits;
    ticket: string | undefined;
    session: unknown;
    /** Something came of this WebSocket that was not there before. */
    progress: boolean;
    open: () => void;
    close: (error?: HubError) => void;
    reconnect: (after?: number) => void;
    wake: () => void;
    network: (online: boolean) => void;
    pump: () => void;
    /** The server has refused something for the rate: its count is ahead of this one. */
    slowDown(): void;
};
