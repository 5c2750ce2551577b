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
	// What few rooms need is nil elsewhere.
	seqs    []uint64
	classes []Class
	keys    []string
	// source is nil in what is no room's.
	source *Source

	deflateOnce sync.Once
	deflated    *Batch
	newestOnce  sync.Once
	newest      map[string]int
}

// NewBatch returns an empty batch of a room's messages with room for about size bytes.
func NewBatch(size int, s *Source) *Batch { return &Batch{wire: make([]byte, 0, size), source: s} }

// Single wraps wire, one whole message that is no room's: a reply or a control frame.
func Single(wire []byte) *Batch { return &Batch{wire: wire, ends: []int{len(wire)}} }

// Add appends a message; see Encode.
func (b *Batch) Add(m Message, encode func(dst []byte) []byte) {
	b.wire = Encode(b.wire, m.Opcode, encode)
	b.note(m)
}

// note notes the message that was appended to wire last.
func (b *Batch) note(m Message) {
	b.seqs = grow(b.seqs, m.Seq, len(b.ends))
	b.classes = grow(b.classes, m.Class, len(b.ends))
	b.keys = grow(b.keys, m.Key, len(b.ends))
	b.ends = append(b.ends, len(b.wire))
}

// grow appends v to what is nil as long as all of its n elements are zero.
func grow[T comparable](s []T, v T, n int) []T {
	var zero T
	if s == nil {
		if v == zero {
			return nil
		}
		s = make([]T, n, n+1)
	}
	return append(s, v)
}

func at[T any](s []T, i int) (v T) {
	if s != nil {
		v = s[i]
	}
	return v
}

// Len is the number of messages.
func (b *Batch) Len() int { return len(b.ends) }

// Size is the number of bytes in wire form.
func (b *Batch) Size() int { return len(b.wire) }

// Held is the number of bytes that are kept alive by whoever holds the batch.
func (b *Batch) Held() int { return cap(b.wire) }

// Source is the room; nil where the batch is no room's.
func (b *Batch) Source() *Source { return b.source }

// Seq is the place of a message.
func (b *Batch) Seq(i int) uint64 { return at(b.seqs, i) }

// Class of a message.
func (b *Batch) Class(i int) Class { return at(b.classes, i) }

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

// Newer reports whether a message with the key of the message i of other is in b. It compares plain messages only.
func (b *Batch) Newer(other *Batch, i int) bool {
	j, ok := b.latest(at(other.keys, i))
	return ok && (b != other || j > i)
}

// latest is the last plain message with a key. Whoever asks first does the work for all.
func (b *Batch) latest(key string) (int, bool) {
	if len(b.ends) == 1 {
		return 0, b.Class(0) == Plain && at(b.keys, 0) == key
	}
	b.newestOnce.Do(func() {
		b.newest = make(map[string]int)
		for i := range b.ends {
			if b.Class(i) == Plain {
				b.newest[at(b.keys, i)] = i
			}
		}
	})
	i, ok := b.newest[key]
	return i, ok
}

// Wire is the messages from the one at index from on.
func (b *Batch) Wire(from int) []byte { return b.wire[b.Start(from):] }

// Start is where a message begins in wire form; for Len it is the Size.
func (b *Batch) Start(i int) int {
	if i <= 0 {
		return 0
	}
	return b.ends[i-1]
}

// Slice is a part of the wire form.
func (b *Batch) Slice(from, to int) []byte { return b.wire[from:to] }

// Remaining is how many messages are not wholly within the first n bytes of wire.
func (b *Batch) Remaining(n int) int {
	return len(b.ends) - sort.Search(len(b.ends), func(i int) bool { return b.ends[i] > n })
}

// Pick copies the messages that want says, in no more memory than they need.
func (b *Batch) Pick(want func(i int) bool) *Batch {
	n, size := 0, 0
	for i, end := range b.ends {
		if want(i) {
			n++
			size += end - b.Start(i)
		}
	}
	out := &Batch{wire: make([]byte, 0, size), ends: make([]int, 0, n), source: b.source}
	for i, end := range b.ends {
		if want(i) {
			out.wire = append(out.wire, b.wire[b.Start(i):end]...)
			out.note(Message{Class: b.Class(i), Seq: b.Seq(i), Key: at(b.keys, i)})
		}
	}
	return out
}

// Reset empties the batch for another use. Only for a batch that nobody else holds any more.
func (b *Batch) Reset(s *Source) {
	*b = Batch{wire: b.wire[:0], ends: b.ends[:0], source: s}
}

// Deflated is the same messages compressed, each on its own, for receivers that negotiated
// permessage-deflate without context takeover. The work is done once, by the first who asks; messages
// shorter than minSize stay as they are.
func (b *Batch) Deflated(d *Deflater, minSize int) *Batch {
	b.deflateOnce.Do(func() {
		out := &Batch{seqs: b.seqs, classes: b.classes, keys: b.keys, source: b.source, ends: make([]int, 0, len(b.ends))}
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
