package hub

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// MemoryStats has the figures of the memory that connections take beyond what an idle one needs; see WithMemoryBudget.
type MemoryStats struct {
	// Budget is the bound on Held, in bytes. Both are zero without a budget.
	Budget, Held int64
	// Shed counts the connections that were closed because Held exceeded Budget.
	Shed int64
}

// budget sums up the memory that connections take beyond what an idle one needs. If the sum is too large, it closes the
// connections that hold most. Code that keeps something large adds it to the sum. Only then is each connection asked
// what it holds.
type budget struct {
	hub      *Hub
	most     int64
	held     atomic.Int64
	shedding atomic.Bool // a goroutine is at it
	shed     atomic.Int64
}

const (
	// shedEvery is how often the hub looks for the connections that hold most, while the sum is too large. shedIdle is
	// how often if no connection holds enough to be closed for it.
	shedEvery = 100 * time.Millisecond
	shedIdle  = 5 * time.Second
	// shedFloor is the least that a connection must hold to be closed for it. Small ones are many, and do not fill the
	// memory.
	shedFloor = 8 << 10
	// shedAtOnce bounds how many are closed in one look.
	shedAtOnce = 1024
	// shedSpread is the time over which clients that are closed together reconnect.
	shedSpread = 10 * time.Second
	// shedPart is how many places of the registry one look reads under its lock.
	shedPart = 1024
)

// newBudget returns nil without a bound.
func (h *Hub) newBudget() *budget {
	if h.conf.memoryBudget <= 0 {
		return nil
	}
	return &budget{hub: h, most: h.conf.memoryBudget}
}

// low is the sum at which shedding stops.
func (b *budget) low() int64 { return b.most - b.most/8 }

// add changes the sum. It does not block. b may be nil.
func (b *budget) add(n int) {
	if b == nil || n == 0 {
		return
	}
	if held := b.held.Add(int64(n)); n > 0 && held > b.most {
		b.relieve()
	}
}

// reserve adds n unless the sum would exceed the budget. b may be nil.
func (b *budget) reserve(n int) bool {
	if b == nil {
		return true
	}
	for {
		held := b.held.Load()
		if held+int64(n) > b.most {
			return false
		}
		if b.held.CompareAndSwap(held, held+int64(n)) {
			return true
		}
	}
}

func (b *budget) relieve() {
	if b.hub.ctx.Err() == nil && b.shedding.CompareAndSwap(false, true) {
		b.hub.life.Run(b.run)
	}
}

// run sheds until the sum is low again.
func (b *budget) run() {
	b.hub.log.Warn("connections hold more than the memory budget: the hub closes those that hold most",
		"held", b.held.Load(), "budget", b.most)
	for {
		wait := shedEvery
		if b.look() == 0 {
			wait = shedIdle
		}
		if b.held.Load() <= b.low() {
			break
		}
		select {
		case <-b.hub.ctx.Done():
			return
		case <-time.After(wait):
		}
	}
	b.shedding.Store(false)
	if b.held.Load() > b.most { // the sum grew while shedding was still set
		b.relieve()
	}
}

// holder is a connection and what it holds.
type holder struct {
	conn     *Conn
	held     int
	backlog  bool // most of it waits for the socket
	vanishes bool // the connection is being closed
}

// look closes the connections that hold most, until what the others hold is low. It returns how many are being closed.
func (b *budget) look() (going int) {
	over := b.held.Load() - b.low()
	var most []holder
	conns := b.hub.conns
	for at, slots := 0, conns.Slots(); at < slots; at += shedPart {
		conns.Some(at, min(shedPart, slots-at), func(c *Conn) bool {
			switch h := holderOf(c); {
			case h.held < shedFloor:
			case h.vanishes:
				over -= int64(h.held)
				going++
			default:
				if most = append(most, h); len(most) >= 2*shedAtOnce {
					most = largest(most)
				}
			}
			return true
		})
	}
	for _, h := range largest(most) {
		if over <= 0 {
			break
		}
		over -= int64(h.held)
		going++
		b.shed.Add(1)
		h.shed()
	}
	return going
}

// largest returns the connections that hold most, at most shedAtOnce, the largest first.
func largest(all []holder) []holder {
	slices.SortFunc(all, func(a, b holder) int { return b.held - a.held })
	return all[:min(len(all), shedAtOnce)]
}

// holderOf returns what a connection makes the hub keep: its backlog, a partly received message, and rooms of which it
// is the only member.
func holderOf(c *Conn) holder {
	h := holder{conn: c, vanishes: c.state.at() >= closing}
	waits := 0
	if c.state.at() != closed { // else the writer has let go of it
		_, waits = c.writer.Backlog()
	}
	h.held = waits + int(c.half.Load())
	h.held += c.rooms.Alone()
	h.backlog = waits > h.held/2
	return h
}

// shed closes a connection for what it holds. One with a backlog is cut: a close frame would wait behind it.
func (h holder) shed() {
	c := h.conn
	c.hub.log.Info("connection closed for the memory it holds", "conn", c.ID(), "held", h.held)
	if h.backlog {
		c.abort(&CloseError{Code: protocol.CloseSlowConsumer, Reason: "memory"})
		return
	}
	c.closeWith(&CloseError{Code: protocol.CloseTryAgainLater, Spread: shedSpread, Reason: "memory"})
}

// Holds implements decoder.Owner.
func (e *endpoint) Holds(n int) {
	if b := e.hub.memory; b != nil {
		b.add(n - int(e.half.Swap(int32(n))))
	}
}

// stats returns the budget's figures. b may be nil.
func (b *budget) stats() MemoryStats {
	if b == nil {
		return MemoryStats{}
	}
	return MemoryStats{Budget: b.most, Held: b.held.Load(), Shed: b.shed.Load()}
}
