package memory

import (
	"sync/atomic"

	"github.com/gohubkit/hubkit/broker"
)

// Stats is what a broker holds, and what it has dropped to stay within its bounds.
type Stats struct {
	// HistoryBytes is what the histories of all rooms take now, of what WithMaxHistoryBytes allows.
	HistoryBytes int64
	// PublisherKeys is how many idempotency keys of publishers other than the service are remembered now, of what
	// WithPublisherKeys allows.
	PublisherKeys int64
	broker.Evictions
}

type stats struct{ evictedMessages, evictedRooms, forgottenKeys atomic.Int64 }

// Stats returns the broker's figures. They are read one after the other, not at one instant.
func (b *Broker) Stats() Stats {
	return Stats{HistoryBytes: b.used.Load(), PublisherKeys: b.lent.Load(), Evictions: b.Evictions()}
}

// Evictions tells what was dropped before its time. hub.Stats has it too.
func (b *Broker) Evictions() broker.Evictions {
	return broker.Evictions{
		Messages:        b.stats.evictedMessages.Load(),
		Rooms:           b.stats.evictedRooms.Load(),
		IdempotencyKeys: b.stats.forgottenKeys.Load(),
	}
}
