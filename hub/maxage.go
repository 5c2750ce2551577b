package hub

import (
	"math/bits"
	"time"

	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/protocol"
)

// ageSweeper closes connections that exceed the maximum age, or have been idle for too long. One goroutine walks
// through the registry, a part at a time. So a connection pays a few bytes for it and no timer.
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
	// sweepTick is how often the ageSweeper looks. sweepRounds is how many rounds it makes in the allowed time:
	// connections live longer by at most one round. Large hubs are not walked more often than every sweepRound.
	sweepTick   = 100 * time.Millisecond
	sweepRounds = 32
	sweepRound  = 30 * time.Second
	// sweepSpread is the time over which clients that are closed together reconnect. They are few.
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

// look closes a connection whose time is up. It returns false if the pace does not allow it yet.
func (r *ageSweeper) look(c *Conn) bool {
	if c.state.at() >= closing {
		return true
	}
	now := r.hub.now()
	ms := uint32(now / time.Millisecond)
	why := &CloseError{Spread: sweepSpread}
	switch {
	case r.aging && c.age(now) >= c.mayAge():
		why.Code, why.Reason = protocol.CloseMaxAge, "maximum age"
	case r.idle > 0 && c.kind != events && ms-c.lastMessage.Load() >= r.idle:
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

// working reports whether the worker pool has work for c.
func (h *Hub) working(c *Conn) bool {
	h.poolMu.Lock()
	defer h.poolMu.Unlock()
	return h.pool != nil && h.pool.Pending(c.entry.Num) > 0
}

// bornTick is the unit in which a connection's entry keeps its birth, in Own: 32 bits of it last two years.
const bornTick = 16 * time.Millisecond

// age is the connection's age at a time on the hub's clock.
func (c *Conn) age(now time.Duration) time.Duration {
	return time.Duration(max(0, int32(uint32(now/bornTick)-c.entry.Own))) * bornTick
}

// mayAge is the connection's own maximum age: between three quarters of the maximum and all of it. Connections that
// come one after the other get ages that are far apart.
func (c *Conn) mayAge() time.Duration {
	const golden = 0x9e3779b97f4a7c15 // the part of 2^64 whose multiples are spread most evenly
	most := c.hub.conf.maxAge
	less, _ := bits.Mul64(c.entry.Num*golden, uint64(most/4))
	return most - time.Duration(less)
}

// came notes when the connection came.
func (hs *handshake) came() {
	c := (*Conn)(hs)
	now := c.hub.now()
	c.lastMessage.Store(uint32(now / time.Millisecond))
	c.streak = -1 // the first message came after none
	c.entry.Own = uint32((now + bornTick - 1) / bornTick)
}
