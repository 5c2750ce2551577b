// Tokens are renewed before they expire, without a reconnect.

import { random } from "./backoff.js";
import type { Emitter } from "./emitter.js";
import { HubError } from "./errors.js";
import type { Frame, Outgoing } from "./frames.js";
import { RENEW_AGAIN, RENEW_AHEAD } from "./times.js";
import type { ConnectOptions, HubHandlers } from "./types.js";

/** Renews the identity of a connection, which has no room, and the grants of its rooms. */
export function createTokens(token: ConnectOptions["token"], handlers: Emitter<HubHandlers>, send: (frame: Outgoing) => Promise<Frame>) {
  const timers = new Map<string | undefined, ReturnType<typeof setTimeout>>();
  let abort = new AbortController();

  const renewIn = (ms: number, room: string | undefined) => {
    clearTimeout(timers.get(room));
    timers.set(room, setTimeout(renew, ms, room));
  };

  /** Notes after which time the identity, or the grant of a room, ends. */
  const expires = (ms: number | undefined, room?: string) => {
    if (ms) renewIn(ms - Math.min(RENEW_AHEAD, ms / 4), room);
  };

  /** Renews at once. */
  async function renew(room: string | undefined): Promise<void> {
    if (!token) return;
    const { signal } = abort;
    try {
      const fresh = await token({ room, signal });
      const answer = signal.aborted || (await send({ op: "token", room, token: fresh }));
      if (!signal.aborted) expires((answer as Frame).expires_ms, room);
    } catch (error) {
      if (signal.aborted) return;
      // A refusal of the server is a verdict; "unavailable" and a failed fetch are not.
      if (error instanceof HubError && error.code !== "unavailable") handlers.tell("onError", error);
      else renewIn(((error as HubError).retryAfter || RENEW_AGAIN) + random(RENEW_AGAIN), room);
    }
  }

  return {
    expires,
    renew,

    /** The connection is lost: the next one brings a token of its own. */
    stop(): void {
      timers.forEach(clearTimeout);
      abort.abort();
      abort = new AbortController();
    },
  };
}
