// Who is in a room: the answer of the server, and the changes since it was asked.

import type { Member, PresenceEvent, Room } from "./types.js";

/**
 * Keeps the list of a room's members, and calls `changed` with a new one whenever it changes. What it returns ends that. The list holds
 * as many members as the server lists; if so many come and go that the server does not tell each, it is asked for again.
 */
export function watchMembers<Info>(room: Room<unknown, Info>, changed: (members: readonly Member<Info>[]) => void): () => void {
  let members = new Map<string, Member<Info>>();
  let since: PresenceEvent<Info>[] | undefined; // the question, while its answer is under way
  let asked = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const apply = (event: PresenceEvent<Info>) => {
    if (event.type === "join") members.set(event.member.conn, event.member);
    else if (event.type === "leave") members.delete(event.member.conn);
  };
  const ask = async () => {
    clearTimeout(timer);
    const question = ++asked;
    since = [];
    try {
      const answer = await room.presence();
      if (question !== asked) return;
      members = new Map(answer.members.map((m) => [m.conn, m]));
      since.forEach(apply);
      since = undefined;
      changed([...members.values()]);
    } catch {
      // It is asked again when the room is joined again.
    }
  };
  const off = room.on({
    onJoin: ask,
    onPresence(event) {
      if (event.type === "changed") {
        clearTimeout(timer);
        timer = setTimeout(ask, Math.random() * event.spreadMs);
        return;
      }
      since?.push(event);
      apply(event);
      changed([...members.values()]);
    },
  });
  if (room.status === "joined") void ask();
  return () => {
    off();
    asked++;
    clearTimeout(timer);
  };
}
