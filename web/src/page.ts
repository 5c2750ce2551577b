// What happens to a page: hidden and shown, frozen and thawed, kept in the back/forward cache, without a network.

import type { Connection } from "./connection.js";

const listen = (target: Partial<EventTarget> | undefined, types: string, f: (event: Event) => void) => {
  for (const type of types.split(" ")) target?.addEventListener?.(type, f);
};

/**
 * Tells the connection of the page. A page that goes closes its connection, without which the browser may keep it in its back/forward
 * cache; one that comes back connects again. `save` is called whenever the page may not come back.
 */
export function watchPage({ network, reconnect, wake }: Connection, save: () => void): void {
  const page = globalThis.document as Document | undefined; // none in a worker
  listen(globalThis, "online offline", ({ type }) => network(type === "online"));
  listen(page, "freeze", save);
  listen(page, "resume", wake);
  listen(page, "visibilitychange", () => (page!.hidden ? save() : wake()));
  if (!page) return;
  listen(window, "pagehide", () => {
    save();
    reconnect(Infinity);
  });
  listen(window, "pageshow", wake);
}
