package hub

import (
	"sync/atomic"
	"time"
)

// roundTrip measures one ping at a time, from when it is sent until its pong is read. All others cost a load. Which
// ping is measured does not depend on how long it will take, so that the times are a fair sample.
type roundTrip struct {
	conn atomic.Pointer[Conn] // the one that was pinged; nil while no pong is awaited
	sent atomic.Int64         // on the hub's clock
}

// ping is called before a ping is sent.
func (r *roundTrip) ping(c *Conn) {
	last := r.conn.Load()
	if last != nil && c.hub.now()-time.Duration(r.sent.Load()) <= c.hub.conf.heartbeat.Timeout {
		return
	}
	if r.conn.CompareAndSwap(last, nil) {
		r.sent.Store(int64(c.hub.now()))
		r.conn.CompareAndSwap(nil, c)
	}
}

// pong is called when the answer to a ping was read.
func (r *roundTrip) pong(c *Conn) {
	if r.conn.Load() != c {
		return
	}
	took := int64(c.hub.now()) - r.sent.Load()
	if r.conn.CompareAndSwap(c, nil) {
		c.hub.histograms.roundTrips.Observe(took)
	}
}

// gone is called when a connection has ended.
func (r *roundTrip) gone(c *Conn) {
	if r.conn.Load() == c {
		r.conn.CompareAndSwap(c, nil)
	}
}
