package redis

import (
	"sync/atomic"

	"github.com/gohubkit/hubkit/broker"
)

// Stats are the broker's counters since New. They only grow.
type Stats struct {
	// Reconnects counts how often a subscribing connection was lost or could not be made.
	Reconnects int64
	// PublishReconnects counts the same of publishing connections.
	PublishReconnects int64
	// Loops counts how often the broker slowed a connection down that had failed five times or more for the same reason,
	// although the server could be reached.
	Loops int64
	// Unwritable counts how often a server was gone or took no writes: a replica, for example, or out of memory.
	Unwritable int64
	// Refused counts subscriptions of rooms that Redis has refused to this broker's user.
	Refused int64
	// CaughtUp counts messages read from history because a channel had not brought them.
	CaughtUp int64
	// Gaps counts how often messages of a room were lost for good. The receiver was told each time.
	Gaps int64
	// Dropped counts messages without a position that were dropped because the receiver was too slow.
	Dropped int64
	// Invalid counts messages, on channels and in histories, that were dropped because they are neither envelopes of this
	// package nor JSON.
	Invalid int64
}

type stats struct {
	reconnects, caughtUp, gaps, dropped, invalid  atomic.Int64
	publishReconnects, loops, unwritable, refused atomic.Int64
}

// Stats returns the counters. They are read one after the other, not at one instant.
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

// Links implements broker.Linked. Before Start and after Close it has no connections.
func (b *Broker) Links() broker.Links {
	s := &b.stats
	out := broker.Links{
		Reconnects:        s.reconnects.Load(),
		PublishReconnects: s.publishReconnects.Load(),
		Unwritable:        s.unwritable.Load(),
		CaughtUp:          s.caughtUp.Load(),
		Gaps:              s.gaps.Load(),
		Dropped:           s.dropped.Load(),
	}
	if b.phase.Load() != started {
		return out
	}
	if t := b.routes.table.Load(); t != nil {
		for _, o := range t.servers {
			out.Subscribing += len(o.links)
			out.Publishing += len(o.lanes)
			for _, l := range o.lanes {
				if l.current.Load() != nil {
					out.PublishingUp++
				}
			}
		}
	}
	recovering, adrift := b.state.behind()
	out.SubscribingUp = max(out.Subscribing-recovering, 0)
	out.Unsubscribed = adrift
	return out
}
