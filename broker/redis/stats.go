package redis

import "sync/atomic"

// Stats counts what has happened since Start.
type Stats struct {
	// Reconnects is how often a subscribed connection was lost or could not be made.
	Reconnects int64
	// PublishReconnects is the same of connections by which is published.
	PublishReconnects int64
	// Loops is how often a connection was slowed down, because it had failed for the same reason five times or more though
	// the server could be reached.
	Loops int64
	// Unwritable is how often a server was found to be gone, or to take no writes: a replica, for example, or out of memory.
	Unwritable int64
	// Refused is how many subscriptions of rooms Redis has refused to this broker's user.
	Refused int64
	// CaughtUp is how many messages were read from history because a channel had not brought them.
	CaughtUp int64
	// Gaps is how often messages of a room were lost for good, as the receiver was told.
	Gaps int64
	// Dropped is how many messages without a position were dropped because the receiver was too slow.
	Dropped int64
	// Invalid is how many messages were dropped because they are neither of this package nor JSON, on channels and in
	// histories.
	Invalid int64
}

type stats struct {
	reconnects, caughtUp, gaps, dropped, invalid  atomic.Int64
	publishReconnects, loops, unwritable, refused atomic.Int64
}

// Stats returns the counters.
func (b *Broker) Stats() Stats {
	s := &b.stats
	return Stats{
		Reconnects:        s.reconnects.Load(),
		PublishReconnects: s.publishReconnects.Load(),
		Loops:             s.loops.Load(),
		Unwritable:        s.unwritable.Load(),
		Refused:           s.refused.Load(),
		CaughtUp:          s.caughtUp.Load(),
		Gaps:              s.gaps.Load(),
		Dropped:           s.dropped.Load(),
		Invalid:           s.invalid.Load(),
	}
}
