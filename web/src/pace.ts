// What one connection may send, and when: rules 2 and 3 of PROTOCOL.md, "Limits".

import type { Limits } from "./frames.js";

const RATE = 100; // messages a second, and as many at once, of a server that announces none
const SHARE = 0.9; // of what is announced: messages that a network has held up arrive together
const HEADER = 14; // bytes of the largest frame header
const FIRST_HELLO = 4096; // bytes of a hello to a server whose limit is not known
const MAX_RESUME = 128;

const share = (burst = 1) => Math.max(1, Math.floor(SHARE * burst));

// A token bucket: returns the time until there are n tokens, or as many as there ever are. With an id, takes them at once.
//
// The server counts what it reads. After a stall it reads much at once, and a publication that it refuses would come behind those after it.
// So the bucket fills up to its burst less what was taken under an id other than zero, until nothing is taken under that id.
const createBucket = (rate: number, burst: number | undefined, full: boolean) => {
  rate *= SHARE;
  burst = share(burst);
  const unread = new Map<number, number>();
  let held = 0;
  let tokens = full ? burst : 0;
  let last = Date.now();
  return (n: number, id?: number): number => {
    const now = Date.now();
    tokens = Math.max(tokens, Math.min(burst - held, tokens + ((now - last) * rate) / 1e3));
    last = now;
    if (id !== undefined) tokens -= n;
    if (id) {
      held += n - (unread.get(id) ?? 0);
      if (n) unread.set(id, n);
      else unread.delete(id);
    }
    return Math.max(0, Math.ceil(((Math.min(n, burst) - tokens) * 1e3) / rate));
  };
};

/** Makes the token buckets of a connection. */
export function createPace({ rate, burst, byte_rate, byte_burst }: Limits, full = true) {
  const messages = rate ? createBucket(rate, burst, full) : createBucket(RATE, RATE, full);
  const size = byte_rate ? createBucket(byte_rate, byte_burst, full) : () => 0;
  /**
   * Returns the time until messages of so many bytes may be sent. With an id, which is zero unless it is a publication's, counts them as
   * sent. No messages with an id are its answer.
   */
  return (count: number, bytes: number, id?: number): number => Math.max(messages(count, id), size(bytes + count * HEADER, id));
}

/** Returns how many rooms a hello may name, and how many bytes it may have. `known` are the limits of the last welcome. */
export const helloLimits = ({ message, rate, burst, byte_burst, rooms }: Limits): [rooms: number, size: number] => [
  Math.min(MAX_RESUME, rooms || MAX_RESUME, rate ? share(burst) / 2 : MAX_RESUME),
  Math.min(message || FIRST_HELLO, byte_burst ? byte_burst / 2 : Infinity),
];
