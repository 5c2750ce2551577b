package frame

import "sync/atomic"

// Overflow says what becomes of a room's messages for which a connection's backlog has no place.
type Overflow uint8

const (
	// Disconnect fails the connection.
	Disconnect Overflow = iota
	// DropOldest gives up the room's messages that have waited longest.
	DropOldest
	// DropNewest gives up what comes.
	DropNewest
	// Conflate gives up a message that waits when a newer one with the same key comes; if that is not enough, it
	// is Disconnect.
	Conflate
	// Replay gives up what waits, to read it from the history later.
	Replay
)

// Lossy reports whether messages are given up for good.
func (o Overflow) Lossy() bool { return o == DropOldest || o == DropNewest }

// Account counts the plain messages of rooms, each once for every receiver: in the end it is one of Delivered, Dropped and
// Conflated. Events are counted apart.
type Account struct {
	// Delivered messages are wholly in the socket.
	Delivered atomic.Int64
	// Dropped messages found no place, or waited for a socket that failed.
	Dropped atomic.Int64
	// Conflated messages were replaced by a newer one.
	Conflated atomic.Int64
	// Replayed messages were read from the history; they are Delivered or Dropped too.
	Replayed atomic.Int64
	// Events are wholly in the socket. Those that are not, because the receiver is gone, are not counted.
	Events atomic.Int64
}

// Source is the room that a batch comes from. Rooms are told apart by its address.
type Source struct {
	Account  *Account
	Overflow Overflow
}

// Class decides whether a slow consumer's backlog may give a room's message up.
type Class uint8

const (
	// Plain messages are what the room's Overflow is about.
	Plain Class = iota
	// Event messages are joins and leaves. A receiver that missed one would be wrong from then on, so
	// that none is given up.
	Event
	// Notice messages are about those before and after them, and worth nothing without.
	Notice
	// Skip messages stand where a receiver is not sent a message. Like that one they can be read from the history again, but
	// they count as nothing.
	Skip
)

// Message is what a Batch knows of a message besides its bytes.
type Message struct {
	// Opcode of the frame; zero for that of the form.
	Opcode byte
	Class  Class
	// Seq is the place among the room's messages, not smaller than that of the message before; zero throughout
	// in rooms that have no order to keep.
	Seq uint64
	// Key says what the message is the latest value of, in rooms that conflate.
	Key string
	// Except selects the receivers that are sent something else in its place; nil for none.
	Except *Except
}

// Except is what receivers that a message is not for are sent.
type Except struct {
	// Who identifies the receivers; each knows whether it is one of them.
	Who any
	// Instead is a frame that stands for the message; none if it is empty.
	Instead []byte
	// Write returns the Instead of a form; nil if it is the same in all.
	Write func(f Form) []byte
}

// Excepter is a receiver that some messages are not for.
type Excepter interface {
	// Excepted reports whether the receiver is one of those that who identifies. It must not block.
	Excepted(who any) bool
}
