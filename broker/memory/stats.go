package memory

import "sync/atomic"

// Stats is what a broker holds, and what it has dropped to stay within its bounds. Counters only grow.
type Stats struct {
	// HistoryBytes is what the histories of all rooms take now, of what WithMaxHistoryBytes allows.
	HistoryBytes int64
	// PublisherKeys is how many idempotency keys of publishers other than the service are remembered now, of what
	// WithPublisherKeys allows.
	PublisherKeys int64
	// EvictedMessages were dropped before their time because all histories together were too large.
	EvictedMessages uint64
	// EvictedRooms had no messages left, and their positions were forgotten for the same reason.
	EvictedRooms uint64
	// ForgottenKeys are idempotency keys that were forgotten before their time.
	ForgottenKeys uint64
}

type stats struct{ evictedMessages, evictedRooms, forgottenKeys atomic.Uint64 }

// Stats returns the broker's figures. They are read one after the other, not at one instant.
func (b *Broker) Stats() Stats {
	return Stats{
		HistoryBytes:    b.used.Load(),
		PublisherKeys:   b.lent.Load(),
		EvictedMessages: b.stats.evictedMessages.Load(),
		EvictedRooms:    b.stats.evictedRooms.Load(),
		ForgottenKeys:   b.stats.forgottenKeys.Load(),
	}
}
