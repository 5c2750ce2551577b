package fanout

import (
	"slices"
	"sync"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// chunkSize is how many members are written to under one lock, by one worker at a time: few enough that a
// join or leave waits for well under a millisecond of writes. A chunk with room for 60, and the header that the allocator adds, fill its
// class of 1024 bytes; 61 would take the next.
const chunkSize = 60

// Place is the place of a member, by which Leave finds it.
type Place struct{ chunk *chunk }

// chunk is a part of a room's members: the unit of locking and of work. A room may have a million members, and a connection many
// rooms, so a chunk keeps 16 bytes of each member, and what most have in common it keeps once.
type chunk struct {
	mu      sync.Mutex
	members []Member
	each    *each // nil if there is nothing to keep of each
	// Members from old on have joined after pass had begun: what that takes is not for them.
	pass uint32
	old  uint8
	form frame.Form // of all, unless each has forms
}

// each is what the members of a chunk do not have in common: each slice has an entry for each member, or is nil.
type each struct {
	since []Mark       // what it had seen when it joined; nil if none had seen anything, as in a room without history
	forms []frame.Form // nil if all have the chunk's
}

// whole is a chunk with its members beside it. Apart, the chunk would be one small object among a thousand of the handshakes that fill
// it: when they are garbage, it holds a page of theirs.
type whole struct {
	chunk
	room [chunkSize]Member
}

// newChunk returns a chunk for a room that already has one. The first chunk of a room grows with it.
func newChunk() *chunk {
	w := new(whole)
	w.members = w.room[:0]
	return &w.chunk
}

func (c *chunk) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.members) == chunkSize
}

// add adds a member to a chunk that is not full. pass is the pass under way, or the last one.
func (c *chunk) add(m Member, f frame.Form, pass uint32, since Mark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.members)
	if c.pass != pass {
		c.pass, c.old = pass, uint8(n)
	}
	if n == 0 {
		c.form = f
	}
	c.members = grown(c.members, m)
	if c.each == nil {
		if since == 0 && f == c.form {
			return
		}
		c.each = new(each)
	}
	e := c.each
	if since != 0 && e.since == nil {
		e.since = make([]Mark, n, cap(c.members))
	}
	if e.since != nil {
		e.since = grown(e.since, since)
	}
	if f != c.form && e.forms == nil {
		e.forms = slices.Repeat([]frame.Form{c.form}, n)
	}
	if e.forms != nil {
		e.forms = grown(e.forms, f)
	}
}

// grown is append, but a chunk's slice never has more than chunkSize places.
func grown[E any](s []E, e E) []E {
	if len(s) == cap(s) {
		s = append(make([]E, 0, min(max(2*len(s), 1), chunkSize)), s...)
	}
	return append(s, e)
}

// remove takes a member out. The last of the old ones moves to its place, and the last of all to that one's.
func (c *chunk) remove(m Member) (left int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, last := slices.Index(c.members, m), len(c.members)-1
	if i < 0 {
		return len(c.members), false
	}
	if i < int(c.old) {
		c.old--
		c.move(i, int(c.old))
		i = int(c.old)
	}
	c.move(i, last)
	c.members[last] = nil
	c.members = c.members[:last]
	if e := c.each; e != nil {
		if e.since != nil {
			e.since = e.since[:last]
		}
		if e.forms != nil {
			e.forms = e.forms[:last]
		}
	}
	return last, true
}

func (c *chunk) move(to, from int) {
	c.members[to] = c.members[from]
	if e := c.each; e != nil {
		if e.since != nil {
			e.since[to] = e.since[from]
		}
		if e.forms != nil {
			e.forms[to] = e.forms[from]
		}
	}
}

// tally is what became of a batch at a number of members.
type tally struct {
	sent     int
	retained bool
}

func (t *tally) add(sent int, retained bool) {
	t.sent += sent
	t.retained = t.retained || retained
}

// send sends a pass's batch to the members; through out, if there is one.
func (c *chunk) send(p *pass, out *outlet, t *tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !out.use(len(c.members)) {
		c.dispatch(p, nil, t)
		return
	}
	c.dispatch(p, out, t)
	out.flush()
}

// dispatch sends a pass's batch to the members, or hands that over to out. It is called with mu held, once for each pass.
func (c *chunk) dispatch(p *pass, out *outlet, t *tally) {
	if c.pass != p.number {
		c.old = uint8(len(c.members))
	}
	var e each
	if c.each != nil {
		e = *c.each
	}
	excepting := p.batch.Excepting()
	b := p.batch.In(c.form)
	for i, m := range c.members[:c.old] {
		if e.forms != nil {
			b = p.batch.In(e.forms[i])
		}
		if b == nil {
			continue // it has seen all of that: see Room.lacks
		}
		from := 0
		if e.since != nil {
			from = b.After(uint64(e.since[i]))
		}
		if from == b.Len() {
			continue
		}
		d := due{m, b, from, t}
		if excepting && !d.except() {
			continue
		}
		if out != nil {
			out.take(d)
		} else {
			d.send()
		}
	}
}
