package fanout

// Mark is a place in the order of a room's messages: the run of the history, which Restart ends, above the
// offset in it, above a bit that is set for what came after the message of that offset and is
// none itself.
type Mark uint64

// offsetBits have space for 70 million million messages in a room, and for 130,000 restarts.
const offsetBits = 46

// Run counts the restarts.
func (m Mark) Run() uint64 { return uint64(m >> (offsetBits + 1)) }

// Offset is that of the message, or of the last one before the event.
func (m Mark) Offset() uint64 { return uint64(m) >> 1 & (1<<offsetBits - 1) }

// At is the message with an offset of the same run.
func (m Mark) At(offset uint64) Mark { return m>>(offsetBits+1)<<(offsetBits+1) | Mark(offset)<<1 }

// event is what follows the message.
func (m Mark) event() Mark { return m | 1 }

// restart is an offset of the next run.
func (m Mark) restart(offset uint64) Mark {
	return (m>>(offsetBits+1)+1)<<(offsetBits+1) | Mark(offset)<<1
}

// before reports whether a message follows m up to n. Events do not count.
func (m Mark) before(n Mark) bool { return m|1 < n|1 }
