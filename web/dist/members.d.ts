import type { Member, Room } from "./types.js";
/**
 * Keeps the list of a room's members, and calls `changed` with a new one whenever it changes. What it returns ends that. The list holds
 * as many members as the server lists; if so many come and go that the server does not tell each, it is asked for again.
 */
export declare function watchMembers<Info>(room: Room<unknown, Info>, changed: (members: readonly Member<Info>[]) => void): () => void;
