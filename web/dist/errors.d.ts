/**
 * Why something failed. `code` is an error code of the protocol, one of the application's own, or one of the client's:
 *
 * - `disconnected`: the connection was lost before the answer, and whether the server carried the request out is unknown; as
 *   the error of a state: the connection was lost.
 * - `closed`: the hub is closed.
 * - `queue_full`: too many requests wait.
 * - `timeout`: the answer did not come in time.
 */
export declare class HubError extends Error {
    /** The error code. */
    readonly code: string;
    /** Milliseconds before which another attempt is in vain; 0 if the server does not say. */
    readonly retryAfter: number;
    /** The room that the error is about. */
    readonly room?: string;
    /** The close code, if the connection ended with one. */
    readonly closeCode?: number;
    constructor(code: string, message?: string, details?: {
        retryAfter?: number;
        room?: string | undefined;
        closeCode?: number;
    });
}
/** Throws unless the condition holds. */
export declare function check(condition: unknown, what: string): asserts condition;
/** The bytes of a text in UTF-8. */
export declare const bytes: (text: string) => number;
/** Throws unless a server takes the name: 1 to 255 bytes without control characters. */
export declare const checkRoom: (name: string) => void;
