// When to come back: the rules of PROTOCOL.md, "Close codes" and "Coming back". Times are in milliseconds.

const FIRST = 2_000; // the first retry comes within this,
const BASE = 500; //    retry n within BASE * 2**n,
const CAP = 30_000; //  and none later than this
const MAX_DELAY = 86_400_000;

const FINAL = new Set([1000, 1002, 1003, 1007, 1008, 1009, 1010]);

// comesBack reports whether a client connects again after a close code.
export function comesBack(code) {
  return !FINAL.has(code) && (code < 3000 || code >= 5000 || (code >= 4000 && code < 4100));
}

// parseHint reads the reason of a close frame. It returns undefined where that names no time: all who were
// told the same would come at once.
export function parseHint(reason) {
  let hint;
  try {
    hint = JSON.parse(reason);
  } catch {
    return undefined;
  }
  if (typeof hint !== "object" || hint === null || Array.isArray(hint)) return undefined;
  const after = hint.retry_after_ms ?? 0;
  const spread = hint.spread_ms ?? 0;
  if (![after, spread].every((n) => Number.isInteger(n) && n >= 0) || after + spread === 0) return undefined;
  return { after: Math.min(after, MAX_DELAY), spread: Math.min(spread, MAX_DELAY) };
}

// wait draws the time that a hint asks for.
export function wait(after = 0, spread = 0) {
  return after + Math.random() * spread;
}

// backoff draws the time before a retry that nobody gave a hint for. The window is cut at the cap, not the
// time drawn from it, so that those who have waited long are still spread out.
export function backoff(tries) {
  return Math.random() * (tries === 0 ? FIRST : Math.min(CAP, BASE * 2 ** tries));
}
