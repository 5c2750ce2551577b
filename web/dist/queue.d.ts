import { HubError } from "./errors.js";
import type { Frame, Outgoing } from "./frames.js";
/** A request on its way. */
export interface Request {
    readonly id: number;
    readonly op: string;
    readonly room: string | undefined;
    readonly body: string;
    readonly weight: number;
    /** Called once, when the outcome is known. */
    readonly done: (error: HubError | undefined, answer?: Frame) => void;
    first?: number;
    lost?: boolean;
    again?: number;
}
export type Queue = ReturnType<typeof createQueue>;
/** Makes a queue for so many requests, of so many bytes together. A publication is sent again within the window. */
export declare function createQueue(maxCount: number, maxSize: number, window: number): {
    /** The largest message that the server reads, in bytes. */
    largest: number;
    /** No request is sent any more on this connection. */
    paused: boolean;
    /** The requests without an answer, by id. */
    sent: Map<number, Request>;
    /** Queues a request behind all others, or before them if it is passing. Throws if too much waits already. */
    add(frame: Outgoing, done: Request["done"]): Request;
    /** Takes the request to be sent now, or returns how long it takes until there may be one. */
    next(): Request | number;
    /** Takes a request out, wherever it is, and tells it its outcome. */
    settle(r: Request, error: HubError | undefined, answer?: Frame): void;
    /**
     * Has a request sent again that the server has refused for the connection's rate. Returns false if it was refused for too long, or
     * if it may be the application that has refused it.
     */
    postpone(r: Request, after?: number): boolean;
    /** Fails the largest request without an answer, after the server has refused to read one. Returns false if there is none. */
    dropLargest(): boolean;
    /**
     * Sorts the requests out when the connection is lost: publications that were sent wait again, in their old place; other requests
     * that were sent fail; what is passing is void. With `all`, whatever waits fails too.
     */
    cut(why: HubError, all?: boolean): void;
};
