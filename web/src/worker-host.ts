// The relay in a SharedWorker.

import { base, type Down, type Up } from "./link.js";
import { createRelay, type Relay } from "./relay.js";

/** Returns what to call with the port of each tab that comes. */
export function serveTabs(): (port: MessagePort) => void {
  const ports = new Set<MessagePort>();
  const linked = new Map<string, MessagePort>();
  let relay: Relay | undefined;

  const post = (down: Down) => {
    if (!("links" in down)) {
      for (const port of ports) port.postMessage(down);
      return;
    }
    const to = new Set<MessagePort>();
    for (const link of down.links) {
      const port = linked.get(link);
      if (port) to.add(port);
      if (down.close) linked.delete(link);
    }
    for (const port of to) port.postMessage(down);
  };

  return (port) => {
    port.onmessage = ({ data }: MessageEvent<Up | "bye">) => {
      if (data === "bye") return void ports.delete(port);
      ports.add(port);
      if ("open" in data) {
        linked.set(data.link, port);
        relay ??= createRelay(base(data.open), post);
      } else if ("end" in data) linked.delete(data.link);
      relay?.receive(data);
    };
  };
}
