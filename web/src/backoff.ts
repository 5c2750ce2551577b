// When to come back: the rules of PROTOCOL.md, "Close codes" and "Coming back". Times are in milliseconds.

const FIRST = 2e3; // the window of the first attempt
const BASE = 500; // attempt n has a window of BASE * 2**n,
const CAP = 3e4; // and none a larger one
const LASTING = 3e4; // a connection that lasted so long starts anew
const MAX_DELAY = 864e5;

const LOOP_AFTER = 5; // connections in a row that ended in the same way
const LOOP_FIRST = 5e3;
const LOOP_MOST = 3e5;

/** Draws a time between 0 and ms. */
export const random = (ms: number): number => Math.random() * ms;

/** Reports whether a client connects again after a close code. */
export const comesBack = (code: number): boolean => !/^(10(0[^14-6]|10)|3...|4[1-9]..)$/.test("" + code);

/** What the reason of a close frame says. */
export interface Hint {
  readonly after: number;
  readonly spread: number;
  readonly reason: string;
}

/** Reads the reason of a close frame; undefined if it is no hint. */
export function parseHint(text: string): Hint | undefined {
  try {
    const hint = JSON.parse(text) as Record<string, unknown>;
    const [after, spread] = [hint.retry_after_ms, hint.spread_ms].map((n) =>
      n == null ? 0 : Number.isInteger(n) && (n as number) >= 0 ? Math.min(n as number, MAX_DELAY) : NaN,
    ) as [number, number];
    const reason = hint.reason ?? "";
    return after + spread >= 0 && typeof reason === "string" && /^\s*{/.test(text) ? { after, spread, reason } : undefined;
  } catch {
    return undefined;
  }
}

/** Makes the delays between attempts. */
export function createBackoff() {
  let attempt = 0;
  let last = "";
  return {
    /** How many connections in a row have ended for the same reason, with nothing new in between. */
    loops: 0,
    /** Notes how a connection ended that had been open for so long. `reason` is empty if the network took it. */
    ended(reason: string, lasted: number, progress: boolean): void {
      if (lasted >= LASTING) attempt = 0;
      const again = reason && !progress && lasted < LASTING;
      this.loops = again ? (reason === last ? this.loops : 0) + 1 : 0;
      last = reason;
    },
    /** Forgets the failed attempts, when there is a reason to try at once. */
    reset(): void {
      attempt = 0;
    },
    /** Draws the next delay, or takes the one that the server has asked for. */
    next(hint?: number): number {
      const wait = hint ?? random(attempt ? Math.min(CAP, BASE * 2 ** attempt) : FIRST);
      attempt++;
      const more = this.loops - LOOP_AFTER;
      if (more < 0) return wait;
      const least = Math.min(LOOP_FIRST * 2 ** more, LOOP_MOST) / 2;
      return Math.max(wait, least + random(least));
    },
  };
}
