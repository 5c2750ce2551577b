package fanout

import (
	"context"
	"sync"

	"github.com/gohubkit/hubkit/internal/frame"
)

// Member receives a room's messages.
type Member interface {
	// Send sends the messages of b from the one at index from on. It reports how many went out at once
	// and whether it holds on to b. It must not block.
	Send(b *frame.Batch, from int) (sent int, retained bool, err error)
}

// Room is a queue of messages and the members they go to. Its zero value needs Init.
type Room struct {
	sched *Scheduler

	mu      sync.Mutex
	pending *frame.Batch  // what the next pass takes; nil or not empty
	space   chan struct{} // closed when the next pass takes the queue; nil while nobody waits
	// running: a pass is under way or scheduled.
	running bool
	added   Mark // the last message added, or seen by one who joined
	taken   Mark // the last message that a pass has taken
	chunks  []*chunk
	members int
	open    int // no chunk before this one has a free place
}

// Init readies the room.
func (r *Room) Init(s *Scheduler) { r.sched = s }

// Ready blocks until the queue has room for a message, or ctx ends. Publishers call it before they
// publish, so that they feel the bound; Add itself never blocks.
func (r *Room) Ready(ctx context.Context) error {
	for {
		r.mu.Lock()
		if !r.full() {
			r.mu.Unlock()
			return nil
		}
		if r.space == nil {
			r.space = make(chan struct{})
		}
		space := r.space
		r.mu.Unlock()
		select {
		case <-space:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *Room) full() bool {
	return r.pending != nil &&
		(r.pending.Len() >= r.sched.conf.MaxMessages || r.pending.Size() >= r.sched.conf.MaxBytes)
}

// Add queues one message, encoded as by frame.Encode. offset is its place in the history; zero in a room
// without, and for what is no message of the history (an event, a notice), which goes between the
// messages around it. It does nothing in a room without members.
func (r *Room) Add(opcode byte, offset uint64, encode func([]byte) []byte) {
	r.mu.Lock()
	switch {
	case offset != 0:
		r.added = r.added.at(offset)
	case r.added != 0:
		r.added = r.added.event()
	}
	if r.members == 0 {
		r.taken = r.added
		r.mu.Unlock()
		return
	}
	if r.pending == nil {
		r.pending = r.sched.newBatch()
	}
	r.pending.Add(opcode, uint64(r.added), encode)
	start := !r.running
	r.running = true
	r.mu.Unlock()
	if start {
		r.sched.push(task{room: r})
	}
}

// Restart says that the history has begun anew, or has lost a part: the next message follows offset, whatever
// came before.
func (r *Room) Restart(offset uint64) {
	r.mu.Lock()
	r.added = r.added.restart(offset)
	r.mu.Unlock()
}

// At is the Mark of a message at an offset of the history as it is now. A caller that reads the history
// takes it before: a Restart meanwhile makes the Mark a past one.
func (r *Room) At() func(offset uint64) Mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.added.at
}

// Join adds m, which has seen every message up to since; zero in a room without history. It returns
// false, and does nothing, where a pass has already taken later messages: the caller reads those from the
// history and tries again.
func (r *Room) Join(m Member, since Mark) (Place, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since.before(r.taken) {
		return Place{}, false
	}
	r.added = max(r.added, since)
	for ; r.open < len(r.chunks); r.open++ {
		if c := r.chunks[r.open]; c.add(m, since) {
			r.members++
			return Place{c}, true
		}
	}
	c := new(chunk)
	c.add(m, since)
	r.chunks = append(r.chunks, c)
	r.members++
	return Place{c}, true
}

// Leave removes the member that Join put at p.
func (r *Room) Leave(m Member, p Place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	left, ok := p.chunk.remove(m)
	if !ok {
		return
	}
	r.members--
	for i, c := range r.chunks {
		if c != p.chunk {
			continue
		}
		if left == 0 {
			// A pass may be walking the old slice, so it is left as it is.
			kept := make([]*chunk, 0, len(r.chunks)-1)
			r.chunks = append(append(kept, r.chunks[:i]...), r.chunks[i+1:]...)
			r.open = min(r.open, max(i-1, 0))
		} else {
			r.open = min(r.open, i)
		}
		break
	}
}

// Len is the number of members.
func (r *Room) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.members
}

// begin takes the queue for a pass.
func (r *Room) begin() *pass {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &pass{room: r, batch: r.pending, chunks: r.chunks}
	r.taken = max(r.taken, Mark(p.batch.Last()))
	r.pending = nil
	if r.space != nil {
		close(r.space)
		r.space = nil
	}
	return p
}

// end reports whether another pass is due.
func (r *Room) end() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = r.pending != nil
	return r.running
}
