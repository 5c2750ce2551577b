package heartbeat

import "sync/atomic"

// Peer is what a Monitor watches: a connection, as a rule.
type Peer interface {
	// Heartbeat returns the Entry embedded in the peer, always the same one. It is called with the
	// monitor's lock held and must do nothing else.
	Heartbeat() *Entry

	// Ping is called when the peer was silent for the interval: it should send something that is
	// answered. The monitor's goroutine calls it with no lock held; it must not block, since
	// all other peers wait behind it.
	Ping()

	// Expire is called when nothing was heard for the timeout after a Ping. It returns true where the
	// peer is gone, and the monitor has then removed it; false where the peer turns out to be alive
	// (bytes that nobody has read yet, say), which counts as heard just now. The
	// monitor's goroutine calls it with no lock held; it must not block.
	Expire() bool
}

// Entry is the monitor's memory of one peer, 16 bytes to be embedded in it by value. The zero Entry is
// ready to use; it must not be copied. A peer is in at most one monitor at a time.
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
