// Positions that outlive a reload of the page.

import { isPosition } from "./rooms.js";
import { SAVE } from "./times.js";
import type { Position, PositionStore, StorageLike } from "./types.js";

/**
 * Keeps the positions of rooms in a storage, so that a page that is reloaded goes on where it was: `store: persist(sessionStorage)`.
 * The key is "hubkit" unless you name another. A storage that is full or broken costs the positions, and nothing else.
 */
export function persist(storage: StorageLike, key = "hubkit"): PositionStore {
  return (all, connection) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let kept = new Map<string, Position>();
    try {
      const found = JSON.parse(storage.getItem(key)!) as { ticket?: unknown; rooms: Record<string, Position> };
      if (typeof found.ticket === "string") connection.ticket = found.ticket;
      kept = new Map(Object.entries(found.rooms));
    } catch {
      // What cannot be read is as good as nothing.
    }
    const write = () => {
      clearTimeout(timer);
      timer = undefined;
      const rooms = Object.fromEntries(kept);
      for (const { name, position } of all.values()) if (position) rooms[name] = position;
      try {
        storage.setItem(key, JSON.stringify({ ticket: connection.ticket, rooms }));
      } catch {
        // The next write may succeed.
      }
    };
    return {
      take(room) {
        const at = kept.get(room);
        kept.delete(room);
        return isPosition(at) ? at : undefined;
      },
      touch: () => void (timer ??= setTimeout(write, SAVE)),
      write,
    };
  };
}
