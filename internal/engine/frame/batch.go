package frame

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Batch is a run of messages in wire form. It is built by one goroutine with Add; once it has been
// handed out it is immutable and may be read by many.
type Batch struct {
	wire []byte
	ends []int // where each message ends in wire
	// seqs order the messages of a room with history; nil elsewhere.
	seqs []uint64
	// labels are nil if all messages are plain and have no key.
	labels *labels
	// source is nil in what is no room's. For a Tail it is the room that it is about.
	source *Source
	// next is the same messages in another form; nil at the last.
	next *Batch

	deflateOnce sync.Once
	deflated    *Batch

	holders atomic.Int32 // see Hold

	form  Form
	tail  bool
	began time.Duration // see Time
}

// labels are what few rooms need, kept apart so that a Batch is quickly made anew.
type labels struct {
	classes []Class
	keys    []string
	others  int       // messages that are not plain: each member counts a batch, and few have any
	excepts []*Except // nil if no message has one

	newestOnce sync.Once
	newest     map[string]int
}

// NewBatch returns an empty batch of a room's messages with space for about size bytes.
func NewBatch(size int, s *Source, f Form) *Batch {
	return &Batch{wire: make([]byte, 0, size), source: s, form: f}
}

// Single wraps wire, one whole message that is no room's: a reply or a control frame.
func Single(wire []byte) *Batch { return &Batch{wire: wire, ends: []int{len(wire)}} }

// Tail wraps the end of a frame that many connections are sent, each after a head of its own. It is no room's message, but
// is about one.
func Tail(wire []byte, about *Source) *Batch {
	return &Batch{wire: wire, ends: []int{len(wire)}, source: about, tail: true}
}

// About is the room that a Tail is about; nil in any other batch.
func (b *Batch) About() *Source {
	if b.tail {
		return b.source
	}
	return nil
}

// Add appends a message in each form of the batch; see Encode.
func (b *Batch) Add(m Message, encode func(dst []byte, f Form) []byte) {
	for ; b != nil; b = b.next {
		opcode := m.Opcode
		if opcode == 0 {
			opcode = b.form.Opcode()
		}
		if start := len(b.wire); opcode == 0 {
			b.wire = encode(b.wire, b.form)
		} else {
			b.wire = seal(encode(reserve(b.wire), b.form), start, opcode)
		}
		b.note(m)
	}
}

// note notes the message that was appended to wire last.
func (b *Batch) note(m Message) {
	if m.Seq != 0 && b.seqs == nil {
		b.seqs = make([]uint64, len(b.ends), len(b.ends)+1)
	}
	if b.seqs != nil {
		b.seqs = append(b.seqs, m.Seq)
	}
	if b.labels != nil || m.Class != Plain || m.Key != "" || m.Except != nil {
		b.label(m)
	}
	b.ends = append(b.ends, len(b.wire))
}

func (b *Batch) label(m Message) {
	n := len(b.ends)
	if b.labels == nil {
		b.labels = &labels{classes: make([]Class, n, n+1), keys: make([]string, n, n+1)}
	}
	if m.Class != Plain {
		b.labels.others++
	}
	b.labels.classes = append(b.labels.classes, m.Class)
	b.labels.keys = append(b.labels.keys, m.Key)
	if l := b.labels; m.Except != nil || l.excepts != nil {
		if l.excepts == nil {
			l.excepts = make([]*Except, n, n+1)
		}
		l.excepts = append(l.excepts, m.Except)
	}
}

// Excepting reports whether a message of the batch is not for all.
func (b *Batch) Excepting() bool { return b.labels != nil && b.labels.excepts != nil }

// For returns what a receiver is sent of the messages from one on: b itself, if all are for it, and the index. Otherwise it is
// a batch of its own, from its first message on.
func (b *Batch) For(x Excepter, from int) (*Batch, int) {
	if !b.Excepting() {
		return b, from
	}
	var not bits
	for i, e := range b.labels.excepts[from:] {
		if e != nil && x.Excepted(e.Who) {
			not = not.with(from+i, b.Len())
		}
	}
	if not == nil {
		return b, from
	}
	out := &Batch{wire: make([]byte, 0, len(b.wire)-b.Start(from)), source: b.source, form: b.form}
	for i := from; i < b.Len(); i++ {
		m := Message{Class: b.Class(i), Seq: b.Seq(i), Key: b.key(i)}
		what := b.wire[b.Start(i):b.ends[i]]
		if not.has(i) {
			if what = b.labels.excepts[i].in(b.form); len(what) == 0 {
				continue
			}
			m.Class, m.Key = Skip, ""
		}
		out.wire = append(out.wire, what...)
		out.note(m)
	}
	return out, 0
}

// Rewritten returns the messages from one on as write appends them: a batch that is one receiver's own.
func (b *Batch) Rewritten(from int, write func(dst, message []byte) []byte) *Batch {
	out := &Batch{wire: make([]byte, 0, 2*(len(b.wire)-b.Start(from))), source: b.source, form: b.form, tail: b.tail}
	for i := from; i < b.Len(); i++ {
		out.wire = write(out.wire, b.Message(i))
		out.note(Message{Class: b.Class(i), Seq: b.Seq(i), Key: b.key(i)})
	}
	return out
}

// Message is the wire form of one message.
func (b *Batch) Message(i int) []byte { return b.wire[b.Start(i):b.ends[i]] }

// bits is nil as long as none is set.
type bits []uint64

func (s bits) has(i int) bool { return s[i/64]>>(i%64)&1 != 0 }

func (s bits) with(i, n int) bits {
	if s == nil {
		s = make(bits, (n+63)/64)
	}
	s[i/64] |= 1 << (i % 64)
	return s
}

// Time notes when the publication of one of the messages began, on a clock of the caller's.
func (b *Batch) Time(began time.Duration) { b.began = began }

// Began is what Time noted; zero if it was not called.
func (b *Batch) Began() time.Duration { return b.began }

// Len is the number of messages.
func (b *Batch) Len() int { return len(b.ends) }

// Size is the number of bytes in wire form.
func (b *Batch) Size() int { return len(b.wire) }

// Held is the number of bytes that a reference to the batch keeps alive.
func (b *Batch) Held() int { return cap(b.wire) }

// Hold notes a holder that keeps the batch in memory. It returns how many bytes are held by that: Held for the first holder,
// and nothing for others, which share them.
func (b *Batch) Hold() int {
	if b.holders.Add(1) > 1 {
		return 0
	}
	return b.Held()
}

// Release ends what Hold began. It returns Held for the last holder, and nothing for others.
func (b *Batch) Release() int {
	if b.holders.Add(-1) > 0 {
		return 0
	}
	return b.Held()
}

// Source is the room; nil if the batch is not of a room.
func (b *Batch) Source() *Source {
	if b.tail {
		return nil
	}
	return b.source
}

// Seq is the place of a message.
func (b *Batch) Seq(i int) uint64 {
	if b.seqs == nil {
		return 0
	}
	return b.seqs[i]
}

// Class of a message.
func (b *Batch) Class(i int) Class {
	if b.labels == nil {
		return Plain
	}
	return b.labels.classes[i]
}

// Count tells how many of the messages from one index up to another are plain, and how many are events.
func (b *Batch) Count(from, to int) (plain, events int) {
	if b.labels == nil || b.labels.others == 0 {
		return to - from, 0
	}
	for _, c := range b.labels.classes[from:to] {
		switch c {
		case Plain:
			plain++
		case Event:
			events++
		}
	}
	return plain, events
}

func (b *Batch) key(i int) string {
	if b.labels == nil {
		return ""
	}
	return b.labels.keys[i]
}

// Last is the seq of the last message.
func (b *Batch) Last() uint64 {
	if len(b.seqs) == 0 {
		return 0
	}
	return b.seqs[len(b.seqs)-1]
}

// After is the index of the first message with a seq above seq; Len if there is none. It is zero in a batch
// without seqs, and for a seq of zero: before the first of the history come messages that are not in it.
func (b *Batch) After(seq uint64) int {
	if len(b.seqs) == 0 || seq == 0 || b.seqs[0] > seq {
		return 0
	}
	return sort.Search(len(b.seqs), func(i int) bool { return b.seqs[i] > seq })
}

// Newer reports whether a message with the key of the message i of other is in b. It compares plain messages only.
func (b *Batch) Newer(other *Batch, i int) bool {
	j, ok := b.latest(other.key(i))
	return ok && (b != other || j > i)
}

// latest is the last plain message with a key. The first caller does the work for all.
func (b *Batch) latest(key string) (int, bool) {
	l, last := b.labels, len(b.ends)-1
	switch {
	case l == nil:
		return last, key == ""
	case last == 0:
		return 0, l.classes[0] == Plain && l.keys[0] == key
	}
	l.newestOnce.Do(func() {
		l.newest = make(map[string]int)
		for i, k := range l.keys {
			if l.classes[i] == Plain {
				l.newest[k] = i
			}
		}
	})
	i, ok := l.newest[key]
	return i, ok
}

// Wire is the messages from the one at index from on.
func (b *Batch) Wire(from int) []byte { return b.wire[b.Start(from):] }

// Start is the index at which a message begins in wire form; for Len it is the Size.
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
	out := &Batch{wire: make([]byte, 0, size), ends: make([]int, 0, n), source: b.source, form: b.form, tail: b.tail}
	for i, end := range b.ends {
		if want(i) {
			out.wire = append(out.wire, b.wire[b.Start(i):end]...)
			out.note(Message{Class: b.Class(i), Seq: b.Seq(i), Key: b.key(i)})
		}
	}
	return out
}

// Reset empties the batch for another use. Only for a batch that nobody else holds any more.
func (b *Batch) Reset(s *Source) {
	*b = Batch{wire: b.wire[:0], ends: b.ends[:0], source: s}
}

// Of says which room an empty batch is for, and in which form.
func (b *Batch) Of(s *Source, f Form) { b.source, b.form = s, f }

// Deflated is the same messages compressed, each on its own, for receivers that negotiated
// permessage-deflate without context takeover. The work is done once, by the first caller; messages
// shorter than minSize stay as they are.
func (b *Batch) Deflated(d *Deflater, minSize int) *Batch {
	b.deflateOnce.Do(func() {
		out := &Batch{seqs: b.seqs, labels: b.labels, source: b.source, form: b.form, ends: make([]int, 0, len(b.ends))}
		for rest := b.wire; len(rest) > 0; {
			opcode, payload, tail := Cut(rest)
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
