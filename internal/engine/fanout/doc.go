// Package fanout takes a room's messages to its members.
//
// A [Room] has a queue and at most one pass under way. What is published during a pass goes out in the
// next one, as one contiguous buffer: one write per member and pass, however many messages. An idle room's
// message goes out at once. Passes are run by a [Scheduler], whose few workers share a large room chunk by
// chunk, and take rooms in turn, so that a large room does not keep a small one waiting.
//
// A room knows a member only as something that accepts a batch. Messages of a room reach a member in the
// order of their publication. After Leave has returned the member is sent nothing more of the room.
//
// Lock order: Room.mu, then chunk.mu. A member is called with its chunk locked: it must not block
// and must not call back into the room.
package fanout
