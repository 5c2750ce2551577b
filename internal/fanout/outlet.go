package fanout

import (
	"github.com/gohubkit/hubkit/internal/frame"
	"github.com/gohubkit/hubkit/internal/uring"
)

// Holder is a Member that lets others make the system call of its Send.
type Holder interface {
	Member
	// Hold begins a Send: data is to be sent to the socket fd. It must not wait for anything; where it would have to, or
	// Send does something else, ok is false, and nothing was begun.
	Hold(b *frame.Batch, from int) (fd int, data []byte, ok bool)
	// Settle ends what Hold began: the socket took n bytes. Where those are none, Send is called afterwards.
	Settle(b *frame.Batch, from, n int) (sent int, retained bool)
}

const (
	// together is how many members a chunk must have for it to be worth while to send to them together.
	together = 4
	// heldBytes bounds what is sent while members are held, and so for how long they are.
	heldBytes = 64 << 10
)

// outlet is a worker's way to send to many members with one system call.
type outlet struct {
	ring  *uring.Ring // nil after it has failed
	bytes int
	held  []held // as many as the ring has to send
	late  []late // to be sent to when none is held
}

type held struct {
	member Holder
	from   int
	n      int // what the socket took
}

type late struct {
	member Member
	from   int
}

// newOutlet returns nil where the system has no such way.
func newOutlet() *outlet {
	ring, err := uring.New(chunkSize)
	if err != nil {
		return nil
	}
	return &outlet{ring: ring, held: make([]held, 0, chunkSize), late: make([]late, 0, chunkSize)}
}

func (o *outlet) close() {
	if o != nil && o.ring != nil {
		_ = o.ring.Close()
		o.ring = nil
	}
}

// use reports whether this is the way to send to so many members.
func (o *outlet) use(members int) bool { return o != nil && o.ring != nil && members >= together }

// take takes a member that is due. It is sent to by the next flush, or before.
func (o *outlet) take(m Member, b *frame.Batch, from int, t *tally) {
	var fd int
	var data []byte
	h, ok := m.(Holder)
	if ok {
		fd, data, ok = h.Hold(b, from)
	}
	if !ok {
		// Others may be waiting for what is held here, and Send might wait for them.
		o.late = append(o.late, late{m, from})
		return
	}
	o.ring.Send(fd, data)
	o.held = append(o.held, held{member: h, from: from})
	if o.bytes += len(data); o.bytes >= heldBytes || o.ring.Full() {
		o.submit(b, t)
	}
}

// flush sends to all that were taken.
func (o *outlet) flush(b *frame.Batch, t *tally) {
	o.submit(b, t)
	for _, h := range o.late {
		t.send(h.member, b, h.from)
	}
	clear(o.late)
	o.late = o.late[:0]
}

func (o *outlet) submit(b *frame.Batch, t *tally) {
	if len(o.held) == 0 {
		return
	}
	if err := o.ring.Submit(func(i, n int) { o.held[i].n = n }); err != nil {
		o.close() // what is left unsent goes one by one, as will all that follows
	}
	for _, h := range o.held {
		sent, retained := h.member.Settle(b, h.from, h.n)
		t.sent += sent
		t.retained = t.retained || retained
		if h.n == 0 {
			o.late = append(o.late, late{h.member, h.from})
		}
	}
	clear(o.held)
	o.held, o.bytes = o.held[:0], 0
}
