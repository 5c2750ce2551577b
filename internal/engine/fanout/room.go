package fanout

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// Member receives a room's messages.
type Member interface {
	// Send sends the messages of b from the one at index from on. It reports how many went out at once, which the
	// room counts as delivered, and whether it holds on to b. What becomes of the others is for the member to
	// count, in the account of b's Source; an error says that it is gone. It must not block.
	Send(b *frame.Batch, from int) (sent int, retained bool, err error)
}

// Room is a queue of messages and the members they go to. Its zero value needs Init.
type Room struct {
	sched  *Scheduler
	source frame.Source

	mu      sync.Mutex
	pending *frame.Batch  // what is added to; nil or not empty
	space   chan struct{} // closed when the next pass takes a batch; nil while nobody waits
	// earlier go out before pending, a pass each; see Add.
	earlier []*frame.Batch
	// What waits in all of them.
	messages, bytes int
	// running: a pass is under way or scheduled.
	running bool
	passes  uint32        // begun so far
	over    uint32        // of them, and ended
	ended   chan struct{} // closed when another pass is over; nil while nobody waits
	added   Mark          // the furthest place known: added, or seen by one who joined
	taken   Mark          // the last message that a pass has taken
	chunks  []*chunk
	members int
	forms   forms
	open    int           // no chunk before this one has a free place
	began   time.Duration // of the publication that is added next; see Time
}

// Init readies the room. src says what it is to its members, and has the account that its messages are counted in.
func (r *Room) Init(s *Scheduler, src frame.Source) { r.sched, r.source = s, src }

// Source is what the room's batches come from.
func (r *Room) Source() *frame.Source { return &r.source }

// Ready blocks until the queue has space for a message, or ctx ends. If the Scheduler is closed, it
// returns net.ErrClosed. Publishers call it before they publish, so that they feel the bound. Add itself never
// blocks.
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
		case <-r.sched.gone:
			return net.ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *Room) full() bool {
	return r.messages >= r.sched.conf.MaxMessages || r.bytes >= r.sched.conf.MaxBytes
}

// Encode appends a message in one of the forms that the members speak.
type Encode = func(dst []byte, f frame.Form) []byte

// Add queues one message, encoded as by frame.Encode. An opcode of zero is that of the form. offset is its place in the history; zero in a room
// without, and for what is no message of the history, which goes between the messages around it. key is what
// the message is the latest value of. It does nothing in a room without members.
func (r *Room) Add(opcode byte, offset uint64, key string, encode Encode) {
	r.mu.Lock()
	r.put(frame.Message{Opcode: opcode, Seq: uint64(r.seq(offset)), Key: key}, encode, r.sched.push)
}

// Time says when the publication of the message began that the caller adds next: the Scheduler's Timed is called when it is sent.
func (r *Room) Time(began time.Duration) {
	r.mu.Lock()
	r.began = began
	r.mu.Unlock()
}

// AddSoon is Add, but the message goes out only with the next Flush of the Scheduler, unless others make it go
// earlier.
func (r *Room) AddSoon(opcode byte, offset uint64, key string, encode Encode) {
	r.mu.Lock()
	r.put(frame.Message{Opcode: opcode, Seq: uint64(r.seq(offset)), Key: key}, encode, r.sched.putOff)
}

// AddExcept is Add, or if soon is set AddSoon, of a message that is not for all members: those that are a frame.Excepter, and
// excepted, are sent what x says.
func (r *Room) AddExcept(soon bool, opcode byte, offset uint64, key string, x *frame.Except, encode Encode) {
	schedule := r.sched.push
	if soon {
		schedule = r.sched.putOff
	}
	r.mu.Lock()
	r.put(frame.Message{Opcode: opcode, Seq: uint64(r.seq(offset)), Key: key, Except: x}, encode, schedule)
}

// AddEvent queues what no member may miss as long as it is one.
func (r *Room) AddEvent(encode Encode) {
	r.mu.Lock()
	r.put(frame.Message{Class: frame.Event, Seq: uint64(r.seq(0))}, encode, r.sched.push)
}

// seq is the place of a message, or event, that is added now. It is called with mu held.
func (r *Room) seq(offset uint64) Mark {
	switch {
	case offset != 0:
		return r.added.At(offset)
	case r.added != 0:
		return r.added.event()
	}
	return 0
}

// put is called with mu held and releases it. schedule gets the room if no pass is due yet.
func (r *Room) put(m frame.Message, encode Encode, schedule func(task)) {
	r.added = max(r.added, Mark(m.Seq))
	if r.members == 0 {
		r.taken, r.began = r.added, 0
		r.mu.Unlock()
		return
	}
	if r.pending != nil && m.Seq < r.pending.Last() {
		// Somebody joined who had read further in the history than was delivered here, and an event
		// for all followed. What that one has seen comes now, and a batch must be in order.
		r.earlier = append(r.earlier, r.pending)
		r.pending = nil
	}
	if r.pending == nil {
		r.pending = r.newBatch()
	}
	if r.source.Overflow != frame.Conflate {
		m.Key = "" // nobody will ask for it
	}
	size := r.pending.Total()
	r.pending.Add(m, encode)
	if r.began != 0 {
		r.pending.Time(r.began)
		r.began = 0
	}
	r.messages++
	r.bytes += r.pending.Total() - size
	start, members := !r.running, r.members
	r.running = true
	r.mu.Unlock()
	if start {
		schedule(task{room: r, members: members})
	}
}

// Restart says that the history has begun anew, or has lost a part: the next message follows offset, whatever
// came before. Rooms without history have nothing to restart.
func (r *Room) Restart(offset uint64) {
	r.mu.Lock()
	r.added = r.added.restart(offset)
	r.mu.Unlock()
}

// RestartWith is Restart and the notice of it in one step, so that a member that joins at a place beyond the restart is
// not told of it afterwards.
func (r *Room) RestartWith(offset uint64, encode Encode) {
	r.mu.Lock()
	r.added = r.added.restart(offset)
	r.put(frame.Message{Class: frame.Notice, Seq: uint64(r.added.event())}, encode, r.sched.push)
}

// Now is a Mark of the history as it is now, whose At are those of messages. A caller that reads the history takes it
// before: a Restart meanwhile makes the Mark a past one, with which nobody joins.
func (r *Room) Now() Mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.added
}

// Join adds m, which has seen every message up to since; zero in a room without history. Messages that a pass under way
// takes do not go to m. If a pass has already taken later messages, or Restart was called since the Mark was made, it
// does nothing and returns false. The caller then continues in the history and tries again.
func (r *Room) Join(m Member, since Mark) (Place, bool) {
	return r.JoinAfter(m, since, func(Place) bool { return true })
}

// JoinAfter is Join, and calls first just before, with the place: m is sent nothing by the room until first has returned, and
// misses nothing that is added once it was called. If first returns false, m is not added. The room is locked meanwhile, so
// that first must not block or use it.
func (r *Room) JoinAfter(m Member, since Mark, first func(Place) bool) (Place, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := formOf(m)
	r.speak(f)
	defer r.unspeak(f)
	if !r.upTo(since) || r.lacks(f, since) {
		return Place{}, false
	}
	c, fresh := r.spacious()
	if !first(Place{c}) {
		return Place{}, true
	}
	r.added = max(r.added, since)
	if fresh {
		r.chunks = append(r.chunks, c)
	}
	c.add(m, f, r.passes, since)
	r.members++
	r.forms.members[f.Index()]++
	return Place{c}, true
}

// spacious returns the first chunk that has a free place, or a fresh one. It is called with mu held, without which no chunk
// gets more members.
func (r *Room) spacious() (c *chunk, fresh bool) {
	for ; r.open < len(r.chunks); r.open++ {
		if c := r.chunks[r.open]; !c.full() {
			return c, false
		}
	}
	if len(r.chunks) > 0 {
		return newChunk(), true
	}
	return new(chunk), true
}

// upTo reports whether a member that has seen every message up to since misses nothing that a pass has taken.
func (r *Room) upTo(since Mark) bool { return !since.before(r.taken) && since.Run() == r.added.Run() }

// Rejoin is JoinAfter for a member that has looked away from the room for a while, and has read in the history
// what it did not see. It stays where it is: first tells it to look again.
func (r *Room) Rejoin(since Mark, first func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.upTo(since) {
		return false
	}
	first()
	return true
}

// Run is the run that the history is in as far as the room knows; see Mark.
func (r *Room) Run() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.added.Run()
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
	f := formOf(m)
	r.forms.members[f.Index()]--
	r.unspeak(f)
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

// begin takes a batch for a pass.
func (r *Room) begin() *pass {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passes++
	if r.forms.wanted != 0 {
		r.tire()
	}
	p := &pass{room: r, number: r.passes, chunks: r.chunks}
	if len(r.earlier) > 0 {
		p.batch = r.earlier[0]
		r.earlier = slices.Delete(r.earlier, 0, 1)
	} else {
		p.batch, r.pending = r.pending, nil
	}
	r.messages -= p.batch.Len()
	r.bytes -= p.batch.Total()
	r.taken = max(r.taken, Mark(p.batch.Last()))
	if r.space != nil {
		close(r.space)
		r.space = nil
	}
	return p
}

// end reports whether another pass is due.
func (r *Room) end() (members int, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = r.passes
	if r.ended != nil {
		close(r.ended)
		r.ended = nil
	}
	r.running = r.pending != nil || len(r.earlier) > 0
	return r.members, r.running
}

// Sent blocks until the members have been sent what was added before, or ctx ends. If the Scheduler is
// closed, it returns net.ErrClosed. Flush must have been called.
func (r *Room) Sent(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.passes + uint32(len(r.earlier))
	if r.pending != nil {
		last++
	}
	for int32(r.over-last) < 0 {
		if r.ended == nil {
			r.ended = make(chan struct{})
		}
		ended := r.ended
		r.mu.Unlock()
		var err error
		select {
		case <-ended:
		case <-ctx.Done():
			err = ctx.Err()
		case <-r.sched.gone:
			err = net.ErrClosed
		}
		r.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}
