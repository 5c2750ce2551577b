import type { Limits } from "./frames.js";
/** Makes the token buckets of a connection. */
export declare function createPace({ rate, burst, byte_rate, byte_burst }: Limits, full?: boolean): (count: number, bytes: number, id?: number) => number;
/** Returns how many rooms a hello may name, and how many bytes it may have. `known` are the limits of the last welcome. */
export declare const helloLimits: ({ message, rate, burst, byte_burst, rooms }: Limits) => [rooms: number, size: number];
