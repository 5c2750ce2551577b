package memory

import (
	"sync/atomic"

	"github.com/gohubkit/hubkit/broker"
)

// Stats are the sizes of the data that a broker holds, and the counts of data that it has dropped to stay within its bounds.
type Stats struct {
	// HistoryBytes is the present size of the histories of all rooms, which WithMaxHistoryBytes bounds.
	HistoryBytes int64
	// PublisherKeys is the present number of idempotency keys of publishers other than the service, which
	// WithPublisherKeys bounds.
	PublisherKeys int64
	broker.Evictions
}

type stats struct{ evictedMessages, evictedRooms, forgottenKeys atomic.Int64 }

// Stats returns the broker's figures. They are read one after the other, not at one instant.
func (b *Broker) Stats() Stats {
	return Stats{HistoryBytes: b.used.Load(), PublisherKeys: b.lent.Load(), Evictions: b.Evictions()}
}

// Evictions implements broker.Evictor. It returns the counts of data dropped before its time. hub.Stats has them too.
func (b *Broker) Evictions() broker.Evictions {
	return broker.Evictions{
		Messages:        b.stats.evictedMessages.Load(),
		Rooms:           b.stats.evictedRooms.Load(),
		IdempotencyKeys: b.stats.forgottenKeys.Load(),
	}
}
