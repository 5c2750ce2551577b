// The requests that wait to be sent or answered, over all connections.

import { bytes, HubError } from "./errors.js";
import type { Frame, Outgoing } from "./frames.js";
import { NEVER, PATIENCE } from "./times.js";

/** A request on its way. */
export interface Request {
  readonly id: number;
  readonly op: string;
  readonly room: string | undefined;
  readonly body: string;
  readonly weight: number;
  /** Called once, when the outcome is known. */
  readonly done: (error: HubError | undefined, answer?: Frame) => void;
  first?: number; // when it was sent first
  lost?: boolean; // an answer was lost
  again?: number; // not to be sent before
}

export type Queue = ReturnType<typeof createQueue>;

// Requests that concern one connection only.
const passing = (r: Request) => /^(join|leave|token)$/.test(r.op);

const tooLarge = () => new HubError("too_large");

const sorted = (list: Request[]) => list.sort((a, b) => a.id - b.id);

function remove<T>(list: T[], item: T | undefined): T | undefined {
  const i = list.indexOf(item as T);
  return i < 0 ? undefined : list.splice(i, 1)[0];
}

/** Makes a queue for so many requests, of so many bytes together. A publication is sent again within the window. */
export function createQueue(maxCount: number, maxSize: number, window: number) {
  const sent = new Map<number, Request>();
  let lastID = 1; // that of pings
  let urgent: Request[] = []; // what is passing
  let wait: Request[] = []; // by id
  let later: Request[] = []; // refused for now; by id
  let turn = false;
  let count = 0;
  let total = 0;

  const make = ({ op, ...rest }: Outgoing, done: Request["done"]): Request => {
    const id = ++lastID;
    const text = JSON.stringify({ op, id, ...rest });
    return { id, op, room: rest.room, body: text, weight: bytes(text), done };
  };

  // Joins and leaves alternate with all else, so that neither waits for the end of the other; but what is asked of a room does not
  // overtake its join.
  const pick = (now: number): Request | number => {
    const due = later.find((r) => r.again! <= now);
    if (due) return remove(later, due)!;
    const [head] = wait;
    turn = !!urgent[0] && (!head || !turn);
    if (turn) return urgent.shift()!;
    if (head)
      return (
        remove(
          urgent,
          urgent.find((r) => r.room === head.room),
        ) ?? wait.shift()!
      );
    return Math.min(NEVER, ...later.map((r) => r.again! - now));
  };

  return {
    /** The largest message that the server reads, in bytes. */
    largest: Infinity,
    /** No request is sent any more on this connection. */
    paused: false,
    /** The requests without an answer, by id. */
    sent,

    /** Queues a request behind all others, or before them if it is passing. Throws if too much waits already. */
    add(frame: Outgoing, done: Request["done"]): Request {
      const r = make(frame, done);
      if (passing(r)) {
        urgent.push(r);
        return r;
      }
      if (count >= maxCount || total + r.weight > maxSize) throw new HubError("queue_full");
      count++;
      total += r.weight;
      wait.push(r);
      return r;
    },

    /** Takes the request to be sent now, or returns how long it takes until there may be one. */
    next(): Request | number {
      while (!this.paused) {
        const now = Date.now();
        const r = pick(now);
        if (typeof r === "number") return r;
        r.first ??= now;
        if (r.lost && now - r.first >= window) this.settle(r, new HubError("disconnected"));
        else if (r.weight > this.largest) this.settle(r, tooLarge());
        else {
          delete r.again;
          sent.set(r.id, r);
          return r;
        }
      }
      return NEVER;
    },

    /** Takes a request out, wherever it is, and tells it its outcome. */
    settle(r: Request, error: HubError | undefined, answer?: Frame): void {
      for (const list of [urgent, wait, later]) remove(list, r);
      sent.delete(r.id);
      if (!passing(r)) {
        count--;
        total -= r.weight;
      }
      r.done(error, answer);
    },

    /**
     * Has a request sent again that the server has refused for the connection's rate. Returns false if it was refused for too long, or
     * if it may be the application that has refused it.
     */
    postpone(r: Request, after = 0): boolean {
      const now = Date.now();
      if (/^(call|send|join)$/.test(r.op) || now - r.first! >= PATIENCE) return false;
      r.again = now + Math.max(after, 1);
      sent.delete(r.id);
      later = sorted([...later, r]);
      return true;
    },

    /** Fails the largest request without an answer, after the server has refused to read one. Returns false if there is none. */
    dropLargest(): boolean {
      const [largest] = [...sent.values()].filter((r) => !passing(r)).sort((a, b) => b.weight - a.weight);
      if (largest) this.settle(largest, tooLarge());
      return !!largest;
    },

    /**
     * Sorts the requests out when the connection is lost: publications that were sent wait again, in their old place; other requests
     * that were sent fail; what is passing is void. With `all`, whatever waits fails too.
     */
    cut(why: HubError, all?: boolean): void {
      for (const r of sent.values()) r.lost = true;
      const known = sorted([...sent.values(), ...later, ...urgent, ...wait]);
      const keep = (r: Request) => !all && !passing(r) && (r.op === "publish" || !sent.has(r.id));
      wait = known.filter(keep);
      const lost = known.filter((r) => !keep(r));
      sent.clear();
      urgent = [];
      later = [];
      this.paused = false;
      for (const r of lost) this.settle(r, why);
    },
  };
}
