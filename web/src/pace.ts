// What one connection may send, and when: rules 2 and 3 of PROTOCOL.md, "Limits".

import type { Limits } from "./frames.js";

const RATE = 90; // of a server that announces none, in messages a second
const BURST = 100;
const SHARE = 0.9; // of what is announced: messages that a network has held up arrive together
const HEADER = 14; // bytes of the largest frame header
const FIRST_HELLO = 4096; // bytes of a hello to a server whose limit is not known
const MAX_RESUME = 128;

const share = (burst = 1) => Math.max(1, Math.floor(SHARE * burst));

// A token bucket: returns the time until there are n tokens, or as many as there ever are. With `spend`, takes them at once.
const createBucket = (rate: number, burst: number, full: boolean) => {
  let tokens = full ? burst : 0;
  let last = Date.now();
  return (n: number, spend?: boolean): number => {
    const now = Date.now();
    tokens = Math.min(burst, tokens + (Math.max(0, now - last) * rate) / 1e3);
    last = now;
    if (spend) tokens -= n;
    return Math.max(0, Math.ceil(((Math.min(n, burst) - tokens) * 1e3) / rate));
  };
};

/** Makes the token buckets of a connection. */
export function createPace({ rate, burst, byte_rate, byte_burst }: Limits, full = true) {
  const messages = rate ? createBucket(SHARE * rate, share(burst), full) : createBucket(RATE, BURST, full);
  const size = byte_rate ? createBucket(SHARE * byte_rate, share(byte_burst), full) : () => 0;
  return {
    /** Returns the time until a message may be sent. */
    wait: () => messages(1),
    /** Returns the time until so many bytes may be sent. */
    waitBytes: (bytes: number) => size(bytes + HEADER),
    /** Counts messages that were sent. */
    sent(count: number, bytes: number): void {
      messages(count, true);
      size(bytes + HEADER, true);
    },
  };
}

/** Returns how many rooms a hello may name, and how many bytes it may have. `known` are the limits of the last welcome. */
export const helloLimits = ({ message, rate, burst, byte_burst, rooms }: Limits): [rooms: number, size: number] => [
  Math.min(MAX_RESUME, rooms || MAX_RESUME, rate ? share(burst) / 2 : MAX_RESUME),
  Math.min(message || FIRST_HELLO, byte_burst ? byte_burst / 2 : Infinity),
];
