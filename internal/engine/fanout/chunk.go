package fanout

import "sync"

// chunkSize is how many members are written to under one lock, by one worker at a time: few enough that a
// join or leave waits for well under a millisecond of writes.
const chunkSize = 64

// Place is where a member is kept, so that Leave finds it.
type Place struct{ chunk *chunk }

// chunk is a part of a room's members: the unit of locking and of work.
type chunk struct {
	mu      sync.Mutex
	members []entry
}

type entry struct {
	member Member
	since  Mark   // what the member had seen when it joined
	pass   uint32 // the pass under way, or the last one, when it joined: what that takes is not for it
}

func (c *chunk) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.members) == chunkSize
}

// add adds a member to a chunk that is not full.
func (c *chunk) add(e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, e)
}

func (c *chunk) remove(m Member) (left int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.members {
		if c.members[i].member == m {
			last := len(c.members) - 1
			c.members[i] = c.members[last]
			c.members[last] = entry{}
			c.members = c.members[:last]
			return last, true
		}
	}
	return len(c.members), false
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

// send sends a pass's batch to the members; through out, where there is one.
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

// dispatch sends a pass's batch to the members, or hands that over to out. It is called with mu held.
func (c *chunk) dispatch(p *pass, out *outlet, t *tally) {
	b := p.batch
	excepting := b.Excepting()
	for i := range c.members {
		if int32(p.number-c.members[i].pass) <= 0 {
			continue
		}
		from := b.After(uint64(c.members[i].since))
		if from == b.Len() {
			continue
		}
		d := due{c.members[i].member, b, from, t}
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
