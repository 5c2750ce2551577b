import type { Emitter } from "./emitter.js";
import type { Frame, Outgoing } from "./frames.js";
import type { ConnectOptions, HubHandlers } from "./types.js";
/** Renews the identity of a connection, which has no room, and the grants of its rooms. */
export declare function createTokens(token: ConnectOptions["token"], handlers: Emitter<HubHandlers>, send: (frame: Outgoing) => Promise<Frame>): {
    expires: (ms: number | undefined, room?: string) => void;
    renew: (room: string | undefined) => Promise<void>;
    /** The connection is lost: the next one brings a token of its own. */
    stop(): void;
};
