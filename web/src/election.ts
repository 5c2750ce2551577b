// One of the tabs is the relay of all: the one that holds a lock.

import type { Down, Up } from "./link.js";
import { createRelay, type Relay } from "./relay.js";
import type { Wire } from "./shared.js";
import type { WebSocketClass } from "./types.js";

/** Takes part in the election of a relay for the hub at a URL, and carries messages to and from it. */
export function createElection(key: string, url: string, receive: (down: Down) => void, WebSocket?: WebSocketClass): Wire {
  const bus = new BroadcastChannel(key);
  let candidate: AbortController | undefined; // while this tab takes part
  let relay: Relay | undefined; // while this tab leads
  let resign: (() => void) | undefined;

  // A channel does not bring its own messages.
  const down = (message: Down) => {
    bus.postMessage(message);
    queueMicrotask(() => receive(message));
  };

  const stepDown = () => {
    relay?.stop();
    resign?.();
    relay = resign = undefined;
  };

  const enter = (steal?: boolean) => {
    candidate?.abort();
    const mine = (candidate = new AbortController());
    let led: Relay | undefined;
    const lead = () => {
      // The lock may come when the tab has just left.
      if (candidate !== mine) return undefined;
      led = relay = createRelay(url, down, WebSocket);
      down({ relay: led.id, leads: true });
      return new Promise<void>((resolve) => (resign = resolve));
    };
    navigator.locks.request(key, steal ? { steal } : { signal: mine.signal }, lead).catch(() => {
      // Another tab has taken the lock, for this one did not answer.
      if (!led || led !== relay) return;
      stepDown();
      if (candidate === mine) enter();
    });
  };

  bus.onmessage = ({ data }: MessageEvent<Up | Down>) => {
    if ("link" in data) relay?.receive(data);
    else receive(data);
  };

  return {
    post(up) {
      if (relay) queueMicrotask(() => relay?.receive(up));
      else bus.postMessage(up);
    },
    unanswered() {
      if (!relay) enter(true);
    },
    enter() {
      if (!candidate) enter();
    },
    leave() {
      candidate?.abort();
      candidate = undefined;
      stepDown();
    },
  };
}
