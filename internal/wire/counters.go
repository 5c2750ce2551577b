package wire

import "sync/atomic"

// Counters count room messages, so that published = delivered + dropped holds per receiver.
type Counters struct {
	// Delivered messages are wholly in the socket.
	Delivered atomic.Int64
	// Dropped messages waited for a socket that failed, or met one that was going.
	Dropped atomic.Int64
}
