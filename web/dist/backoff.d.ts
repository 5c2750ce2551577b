/** Draws a time between 0 and ms. */
export declare const random: (ms: number) => number;
/** Reports whether a client connects again after a close code. */
export declare const comesBack: (code: number) => boolean;
/** What the reason of a close frame says. */
export interface Hint {
    readonly after: number;
    readonly spread: number;
    readonly reason: string;
}
/** Reads the reason of a close frame; undefined if it is no hint. */
export declare function parseHint(text: string): Hint | undefined;
/** Makes the delays between attempts. */
export declare function createBackoff(): {
    /** How many connections in a row have ended for the same reason, with nothing new in between. */
    loops: number;
    /** Notes how a connection ended that had been open for so long. `reason` is empty if the network took it. */
    ended(reason: string, lasted: number, progress: boolean): void;
    /** Forgets the failed attempts, when there is a reason to try at once. */
    reset(): void;
    /** Draws the next delay, or takes the one that the server has asked for. */
    next(hint?: number): number;
};
