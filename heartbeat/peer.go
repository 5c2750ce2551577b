package heartbeat

import "sync/atomic"

// Peer is what a Monitor watches, usually a connection.
type Peer interface {
	// Heartbeat returns the Entry embedded in the peer, always the same one. The monitor calls it with its lock held, so
	// it must do nothing else.
	Heartbeat() *Entry

	// Ping is called when the peer was silent for the interval. It should send something that the other side answers.
	// The monitor's goroutine calls it with no lock held. Ping must not block: all other peers wait for it.
	Ping()

	// Expire is called when nothing was heard for the timeout after a Ping. It returns true if the peer is gone; the
	// monitor has then removed it. It returns false if the peer is alive. It then counts as heard just now. A peer is
	// alive, for example, if it has sent bytes that nobody has read yet. The monitor's goroutine calls Expire with no
	// lock held. Expire must not block.
	Expire() bool
}

// Entry is what the monitor stores of one peer, in 16 bytes. Embed it in the peer by value. The zero Entry is ready to
// use. It must not be copied. A peer is in at most one monitor at a time.
type Entry struct {
	heard atomic.Uint32 // tick of the last Heard
	place atomic.Uint32 // slot<<stateBits | state; written under the monitor's lock
	index uint32        // in the slot
	mark  uint32        // heard as it was when the peer was put in the slot
}

type state uint32

const (
	absent   state = iota // in no monitor
	idle                  // in the slot of its next ping
	pinged                // in the slot of its deadline
	expiring              // in no slot, Expire is under way
)

const (
	stateBits = 2
	stateMask = 1<<stateBits - 1
)

func (e *Entry) state() state { return state(e.place.Load() & stateMask) }
func (e *Entry) slot() uint32 { return e.place.Load() >> stateBits }

func (e *Entry) set(slot uint32, s state) { e.place.Store(slot<<stateBits | uint32(s)) }

// hear moves heard on to now. Concurrent calls never move it back.
func (e *Entry) hear(now uint32) {
	if old := e.heard.Load(); int32(now-old) > 0 {
		e.heard.CompareAndSwap(old, now)
	}
}
