package fanout

import (
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/uring"
)

// Holder is a Member that lets others make the system call of its Send.
type Holder interface {
	Member
	// Hold begins a Send: data is to be sent to the socket fd. It must not wait for anything. If it would have to, or
	// Send does something else, ok is false, and nothing was begun.
	Hold(b *frame.Batch, from int) (fd int, data []byte, ok bool)
	// Settle ends what Hold began: the socket took n bytes. If n is zero, Send is called afterwards.
	Settle(b *frame.Batch, from, n int) (sent int, retained bool)
}

const (
	// together is how many members there must be for it to be worth while to send to them together.
	together = 4
	// heldBytes bounds what is sent while members are held, and so for how long they are.
	heldBytes = 64 << 10
)

// due is what a member is to be sent: a batch from one of its messages on.
type due struct {
	member Member
	batch  *frame.Batch
	from   int
	tally  *tally
}

// except takes out what is not for the member, and reports whether anything is left.
func (d *due) except() bool {
	if x, ok := d.member.(frame.Excepter); ok {
		d.batch, d.from = d.batch.For(x, d.from)
	}
	return d.from < d.batch.Len()
}

func (d *due) send() {
	sent, retained, _ := d.member.Send(d.batch, d.from) // a member that is gone has counted what it lost
	d.tally.add(sent, retained)
}

// outlet is a worker's way to send to many members with one system call.
type outlet struct {
	ring  *uring.Ring // nil after it has failed
	bytes int
	held  []held // as many as the ring has to send
	late  []due  // to be sent to when none is held
	tasks []task // of gather
	parts []part // of runTogether
}

type held struct {
	due
	holder Holder
	n      int // what the socket took
}

// newOutlet returns nil if the system has no such way, or if it is not wanted.
func newOutlet(noUring bool) *outlet {
	if noUring {
		return nil
	}
	ring, err := uring.New(chunkSize)
	if err != nil {
		return nil
	}
	return &outlet{ring: ring, held: make([]held, 0, chunkSize), late: make([]due, 0, chunkSize)}
}

func (o *outlet) close() {
	if o != nil && o.ring != nil {
		_ = o.ring.Close()
		o.ring = nil
	}
}

// use reports whether this is the way to send to so many members.
func (o *outlet) use(members int) bool { return o != nil && o.ring != nil && members >= together }

// take takes what is due to a member. It is sent by the next flush, or before.
func (o *outlet) take(d due) {
	h, ok := d.member.(Holder)
	if ok && o.ring != nil {
		if fd, data, ok := h.Hold(d.batch, d.from); ok {
			o.ring.Send(fd, data)
			o.held = append(o.held, held{due: d, holder: h})
			if o.bytes += len(data); o.bytes >= heldBytes || o.ring.Full() {
				o.submit()
			}
			return
		}
	}
	// Others may be waiting for what is held here, and Send might wait for them.
	o.late = append(o.late, d)
}

// flush sends all that was taken.
func (o *outlet) flush() {
	o.submit()
	for i := range o.late {
		o.late[i].send()
	}
	clear(o.late)
	o.late = o.late[:0]
}

func (o *outlet) submit() {
	if len(o.held) == 0 {
		return
	}
	if err := o.ring.Submit(func(i, n int) { o.held[i].n = n }); err != nil {
		o.close() // what is left unsent goes one by one, as will all that follows
	}
	for i := range o.held {
		h := &o.held[i]
		h.tally.add(h.holder.Settle(h.batch, h.from, h.n))
		if h.n == 0 {
			o.late = append(o.late, h.due)
		}
	}
	clear(o.held)
	o.held, o.bytes = o.held[:0], 0
}
