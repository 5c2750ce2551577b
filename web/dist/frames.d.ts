import { HubError } from "./errors.js";
import type { Position } from "./types.js";
/** A frame of the server. Which fields it has depends on `op`. */
export interface Frame {
    readonly op: string;
    readonly id?: number;
    readonly room?: string;
    readonly epoch?: string;
    readonly offset?: number;
    readonly data?: unknown;
    readonly code?: string;
    readonly message?: string;
    readonly retry_after_ms?: number;
    readonly spread_ms?: number;
    readonly expires_ms?: number;
    readonly [field: string]: unknown;
}
/** A frame of the client, still without its id. */
export interface Outgoing {
    readonly op: string;
    readonly room?: string | undefined;
    readonly [field: string]: unknown;
}
/** The limits of a welcome. */
export interface Limits {
    readonly message?: number;
    readonly rate?: number;
    readonly burst?: number;
    readonly byte_rate?: number;
    readonly byte_burst?: number;
    readonly rooms?: number;
}
/** Returns the position that a frame names. */
export declare const positionOf: ({ epoch, offset }: {
    epoch?: string;
    offset?: number;
}) => Position | undefined;
/** Makes an error of a frame. */
export declare const failure: ({ code, message, room, retry_after_ms }: Frame) => HubError;
