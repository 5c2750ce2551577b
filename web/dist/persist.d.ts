import type { PositionStore, StorageLike } from "./types.js";
/**
 * Keeps the positions of rooms in a storage, so that a page that is reloaded goes on where it was: `store: persist(sessionStorage)`.
 * The key is "hubkit" unless you name another. A storage that is full or broken costs the positions, and nothing else.
 */
export declare function persist(storage: StorageLike, key?: string): PositionStore;
