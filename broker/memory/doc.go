// Package memory is the broker of a single node: rooms, history, presence and commands in the memory
// of one process. It implements [broker.Broker], [broker.History], [broker.Presence], [broker.Occupancy],
// [broker.Bus] and [broker.Evictor].
//
// # Guarantees
//
// Delivery: Publish, Enter and Leave call the receiver in the caller's goroutine, and return after it has
// returned. Each room has a lock that is held during the call. A room's calls therefore come one at a time, in
// the order in which they were accepted. The announcement of Enter comes before a later message. One
// goroutine of the broker calls the receiver with commands, in the order in which they were sent.
//
// Blocking: Publish, Read and the presence methods wait only for the room's lock. It is held no longer than a
// call of the receiver takes. Broadcast and Send wait while 256 commands are queued, no longer than their
// ctx. Close waits for the calls under way.
//
// Interest: a message to a room that is not subscribed is not delivered. It is stored if the publication has a
// retention.
//
// Memory: a room without subscription, messages, keys and members takes no memory. The same holds for a room that
// was only read. Messages and idempotency keys are freed when they expire. The metadata of a room is freed
// when it has been idle for longer than [WithMetadataTTL]. The history of a room stays within its retention's
// bytes, and all histories together within [WithMaxHistoryBytes]. Above that bound, rooms without messages are
// forgotten first. Then the largest rooms lose the older half of their messages. A reader of dropped messages
// is told of a gap. [WithIdempotencyKeys] bounds the idempotency keys of the service in each room, and
// [WithPublisherKeys] those of other publishers. [Broker.Stats] counts the data that was dropped.
//
// Epoch: a room without history shares its epoch with other rooms. Its first message begins the history with that
// epoch. The epoch stays as long as the room's metadata: through idle times, and through [Broker.Snapshot] and
// [Broker.Restore]. When a history is forgotten, the shared epoch of its room changes. A reader that joined
// another of these rooms before its first message is then told of a gap although there was none.
//
// Time: expiry follows the monotonic clock. Setting the wall clock does not change it.
package memory
