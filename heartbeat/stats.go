package heartbeat

import (
	"sync/atomic"
	"time"
)

// Stats counts what a monitor has done since it was made.
type Stats struct {
	// Peers is how many are watched now.
	Peers int
	// Pings is how many times Ping was called.
	Pings int64
	// Spread is how many times a peer was due in a tick with a crowd, and put before it.
	Spread int64
	// Expired is how many peers Expire reported gone.
	Expired int64
	// Revived is how many peers Expire reported alive.
	Revived int64
	// Lost is the time that did not count, because the process was not running.
	Lost time.Duration
}

type counters struct {
	pings, spread, expired, revived atomic.Int64
	lost                            atomic.Int64
}

// Stats returns the counts. They are read one after the other, not at one instant.
func (m *MonitorOf[P]) Stats() Stats {
	return Stats{
		Peers:   m.Len(),
		Pings:   m.stats.pings.Load(),
		Spread:  m.stats.spread.Load(),
		Expired: m.stats.expired.Load(),
		Revived: m.stats.revived.Load(),
		Lost:    time.Duration(m.stats.lost.Load()),
	}
}
