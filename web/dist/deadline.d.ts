/**
 * Calls f after ms milliseconds, unless what it returns is called before. A timer that fires late says nothing about the server:
 * the page was frozen, or hidden and throttled, or the machine slept, and the answer may wait behind the timer. It then runs once more.
 */
export declare function deadline(ms: number, f: () => void): () => void;
