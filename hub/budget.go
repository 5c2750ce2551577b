package hub

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// MemoryStats is about what connections make the hub keep in memory beyond what an idle one needs; see WithMemoryBudget.
type MemoryStats struct {
	// Budget is the bound on Held, in bytes. Both are zero without a budget.
	Budget, Held int64
	// Shed counts the connections that were closed because Held exceeded Budget.
	Shed int64
}

// budget sums up what connections make the hub keep beyond what an idle one needs, and closes those that hold most when that is
// too much. Whoever keeps something large adds it to the sum. What each connection holds is asked only then.
type budget struct {
	hub      *Hub
	most     int64
	held     atomic.Int64
	shedding atomic.Bool // a goroutine is at it
	shed     atomic.Int64
}

const (
	// shedEvery is how often the hub looks who holds most, while there is too much, and shedIdle how often if nobody holds
	// enough to be closed for it.
	shedEvery = 100 * time.Millisecond
	shedIdle  = 5 * time.Second
	// shedFloor is what a connection must hold to be closed for it. Small ones are many, and not what fills the memory.
	shedFloor = 8 << 10
	// shedAtOnce bounds how many are closed in one look.
	shedAtOnce = 1024
	// shedSpread is over how long those come back that are closed together.
	shedSpread = 10 * time.Second
	// shedPart is how many places of the registry are looked at under its lock.
	shedPart = 1024
)

// newBudget returns nil without a bound.
func (h *Hub) newBudget() *budget {
	if h.conf.memoryBudget <= 0 {
		return nil
	}
	return &budget{hub: h, most: h.conf.memoryBudget}
}

// low is what the sum is brought down to once it was too much.
func (b *budget) low() int64 { return b.most - b.most/8 }

// add changes the sum. It does not block. It may be called of nil.
func (b *budget) add(n int) {
	if b == nil || n == 0 {
		return
	}
	if held := b.held.Add(int64(n)); n > 0 && held > b.most {
		b.relieve()
	}
}

func (b *budget) relieve() {
	if b.hub.ctx.Err() == nil && b.shedding.CompareAndSwap(false, true) {
		b.hub.life.Run(b.run)
	}
}

// run sheds until the sum is low again.
func (b *budget) run() {
	b.hub.log.Warn("connections make the hub keep more than its memory budget: it closes those that hold most",
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
	if b.held.Load() > b.most { // somebody added while this was still under way
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

// look closes the connections that hold most, until what the others hold is low. It returns how many are on their way out.
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

// largest returns at most shedAtOnce of those that hold most, the largest first.
func largest(all []holder) []holder {
	slices.SortFunc(all, func(a, b holder) int { return b.held - a.held })
	return all[:min(len(all), shedAtOnce)]
}

// holderOf tells what a connection makes the hub keep: what waits for its socket, a message that has come in part, and rooms
// that it is the only member of.
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

// stats may be called of nil.
func (b *budget) stats() MemoryStats {
	if b == nil {
		return MemoryStats{}
	}
	return MemoryStats{Budget: b.most, Held: b.held.Load(), Shed: b.shed.Load()}
}
