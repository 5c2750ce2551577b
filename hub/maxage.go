package hub

import (
	"math/rand/v2"
	"time"

	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/protocol"
)

// ageSweeper closes connections that are too old, or from which nothing has come for too long. One goroutine walks
// through the registry, a part at a time, so that a connection pays a few bytes for it and no timer.
type ageSweeper struct {
	hub   *Hub
	ticks int    // that a round through the registry takes
	idle  uint32 // milliseconds; zero means no bound
	aging bool
	pace  rate.Limit

	next int // slot
	due  rate.Bucket
}

const (
	defaultMaxAgePace = 100
	// sweepTick is how often the ageSweeper looks, and sweepRounds how often it has gone round in the time that is
	// allowed: connections live up to so much longer. Large hubs need not be walked through more
	// often than sweepRound.
	sweepTick   = 100 * time.Millisecond
	sweepRounds = 32
	sweepRound  = 30 * time.Second
	// sweepSpread is over how long those come back that are closed together, which are few.
	sweepSpread = time.Second
)

func (h *Hub) startAgeSweeper() *repeater {
	allowed := min(orForever(h.conf.maxAge), orForever(h.conf.maxIdle))
	if allowed == forever {
		return nil
	}
	pace := h.conf.maxAgePace
	if pace == 0 {
		pace = defaultMaxAgePace
	}
	round := min(allowed/sweepRounds, sweepRound)
	tick := max(min(sweepTick, round), time.Millisecond)
	r := &ageSweeper{
		hub:   h,
		ticks: max(1, int(round/tick)),
		idle:  uint32(h.conf.maxIdle / time.Millisecond),
		aging: h.conf.maxAge > 0,
		pace:  rate.New(float64(pace), max(1, int(float64(pace)*tick.Seconds()))),
	}
	return repeat(h, tick, r.walk)
}

const forever = time.Duration(1<<63 - 1)

func orForever(d time.Duration) time.Duration {
	if d == 0 {
		return forever
	}
	return d
}

// walk looks at the next part of the registry.
func (r *ageSweeper) walk() {
	r.next = r.hub.conns.Some(r.next, r.hub.conns.Slots()/r.ticks+1, r.look)
}

// look closes a connection whose time is up. It returns false where the pace does not allow it yet.
func (r *ageSweeper) look(c *Conn) bool {
	if c.state.at() >= closing {
		return true
	}
	now := r.hub.now()
	ms := uint32(now / time.Millisecond)
	why := &CloseError{Spread: sweepSpread}
	switch {
	case r.aging && int32(ms-c.due) >= 0:
		why.Code, why.Reason = protocol.CloseMaxAge, "max age"
	case r.idle > 0 && ms-c.lastMessage.Load() >= r.idle:
		why.Code, why.Reason = protocol.CloseIdle, "idle"
	default:
		return true
	}
	if r.hub.working(c) {
		return true // next time
	}
	if _, ok := r.due.Take(now, 1, r.pace); !ok {
		return false
	}
	c.closeWith(why)
	return true
}

// working reports whether the worker pool has something to do for c.
func (h *Hub) working(c *Conn) bool {
	h.poolMu.Lock()
	defer h.poolMu.Unlock()
	return h.pool != nil && h.pool.Pending(c.entry.Num) > 0
}

// came notes when the connection came, and draws its age.
func (hs *handshake) came() {
	c := (*Conn)(hs)
	now := c.hub.now()
	c.lastMessage.Store(uint32(now / time.Millisecond))
	c.streak = -1 // the first message came after none
	if age := c.hub.conf.maxAge; age > 0 {
		c.due = uint32((now + age - rand.N(age/4)) / time.Millisecond)
	}
}
