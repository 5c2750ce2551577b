package frame

import (
	"sort"
	"sync"
)

// Batch is a run of messages in wire form. It is built by one goroutine with Add; once it has been
// handed out it is immutable and may be read by many.
type Batch struct {
	wire []byte
	ends []int // where each message ends in wire
	// seqs order the messages of a room with history; nil elsewhere.
	seqs []uint64
	// counted batches hold room messages, which are told apart from replies in the statistics.
	counted bool

	deflateOnce sync.Once
	deflated    *Batch
}

// NewBatch returns an empty batch of room messages with room for about size bytes.
func NewBatch(size int) *Batch { return &Batch{wire: make([]byte, 0, size), counted: true} }

// Single wraps wire, one whole message that is no room's: a reply or a control frame.
func Single(wire []byte) *Batch { return &Batch{wire: wire, ends: []int{len(wire)}} }

// Add appends a message; see Encode. seq is its place among the room's messages, not smaller than that
// of the message before; zero throughout in rooms that have no order to keep.
func (b *Batch) Add(opcode byte, seq uint64, encode func(dst []byte) []byte) {
	b.wire = Encode(b.wire, opcode, encode)
	if seq != 0 && b.seqs == nil {
		b.seqs = make([]uint64, len(b.ends), len(b.ends)+1)
	}
	if b.seqs != nil {
		b.seqs = append(b.seqs, seq)
	}
	b.ends = append(b.ends, len(b.wire))
}

// Len is the number of messages.
func (b *Batch) Len() int { return len(b.ends) }

// Size is the number of bytes in wire form.
func (b *Batch) Size() int { return len(b.wire) }

// Counted reports whether the messages are a room's.
func (b *Batch) Counted() bool { return b.counted }

// Last is the seq of the last message.
func (b *Batch) Last() uint64 {
	if len(b.seqs) == 0 {
		return 0
	}
	return b.seqs[len(b.seqs)-1]
}

// After is the index of the first message with a seq above seq; Len where there is none. It is zero in a batch
// without seqs, and for a seq of zero: before the first of the history come messages that are not in it.
func (b *Batch) After(seq uint64) int {
	if len(b.seqs) == 0 || seq == 0 || b.seqs[0] > seq {
		return 0
	}
	return sort.Search(len(b.seqs), func(i int) bool { return b.seqs[i] > seq })
}

// Wire is the messages from the one at index from on.
func (b *Batch) Wire(from int) []byte {
	if from <= 0 {
		return b.wire
	}
	return b.wire[b.ends[from-1]:]
}

// Remaining is how many messages are not wholly within the first n bytes of wire.
func (b *Batch) Remaining(n int) int {
	return len(b.ends) - sort.Search(len(b.ends), func(i int) bool { return b.ends[i] > n })
}

// Reset empties the batch for another use. Only for a batch that nobody else holds any more.
func (b *Batch) Reset() {
	*b = Batch{wire: b.wire[:0], ends: b.ends[:0], counted: true}
}

// Deflated is the same messages compressed, each on its own, for receivers that negotiated
// permessage-deflate without context takeover. The work is done once, by the first who asks; messages
// shorter than minSize stay as they are.
func (b *Batch) Deflated(d *Deflater, minSize int) *Batch {
	b.deflateOnce.Do(func() {
		out := &Batch{seqs: b.seqs, counted: b.counted, ends: make([]int, 0, len(b.ends))}
		for rest := b.wire; len(rest) > 0; {
			opcode, payload, tail := split(rest)
			plain := rest[:len(rest)-len(tail)]
			rest = tail
			if (opcode == Text || opcode == Binary) && len(payload) >= minSize {
				out.wire = d.Append(out.wire, opcode, payload)
			} else {
				out.wire = append(out.wire, plain...)
			}
			out.ends = append(out.ends, len(out.wire))
		}
		b.deflated = out
	})
	return b.deflated
}
