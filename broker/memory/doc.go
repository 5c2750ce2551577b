// Package memory is the broker of a single node: rooms, history, presence and commands in the memory
// of one process. It implements [broker.Broker], [broker.History], [broker.Presence], [broker.Bus] and
// [broker.Evictor].
//
// # Guarantees
//
// Delivery: Publish, Enter and Leave call the receiver in the caller's goroutine and return after it.
// Each room has a lock, held during the call, so a room's calls come one at a time in the order in
// which they were accepted, and what Enter announced comes before what is published later. Commands
// are called from one goroutine of the broker, in the order in which they were sent.
//
// Blocking: Publish, Read and the presence methods wait only for the room's lock, which nobody holds
// longer than a call of the receiver takes. Broadcast and Send wait while 256 commands are queued,
// no longer than their ctx. Close waits for the calls under way.
//
// Interest: a message to a room that is not subscribed is stored, where the publication asks for
// it, and not delivered.
//
// Memory: a room that nobody subscribed to and that keeps nothing takes no memory; so does one that was only read.
// Messages are freed when they expire, idempotency keys too, and so is the metadata of a room idle for longer than
// [WithMetadataTTL]. The history of a room stays within its retention's bytes, and all histories together within
// [WithMaxHistoryBytes]: beyond that, rooms without messages are forgotten first, and then the largest rooms lose the
// older half of their messages. What is dropped makes a gap for who asks for it. Idempotency keys of the service are bounded
// in each room by [WithIdempotencyKeys], those of other publishers by [WithPublisherKeys]. [Broker.Stats] counts
// what was dropped.
//
// Epoch: a room without history has an epoch that it shares with other rooms; its first message begins the history with it.
// The epoch stays as long as the room's metadata does: through idle times, and through
// [Broker.Snapshot] and [Broker.Restore]. When a history is forgotten, the epoch that its room shares changes. A
// reader who joined another of these rooms before its first message is then told of a gap though there was none.
//
// Time: expiry follows the monotonic clock; setting the wall clock changes nothing.
package memory
