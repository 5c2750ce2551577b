package fanout

// part is the pass of a small room among others that are run as one.
type part struct {
	pass  *pass
	tally tally
}

// gather takes from the queue the small rooms that come next after one, as many as are worth a system call. It returns
// nil if there are none. It is called with mu held.
func (s *Scheduler) gather(first task, out *outlet) []task {
	if !first.small() || !out.use(together) {
		return nil
	}
	members := first.members
	out.tasks = append(out.tasks[:0], first)
	for n := range min(s.queue.n, chunkSize-1) {
		t := s.queue.at(n)
		if !t.small() || members+t.members > chunkSize {
			break
		}
		members += t.members
		out.tasks = append(out.tasks, *t)
	}
	if members < together {
		return nil
	}
	s.queue.drop(len(out.tasks) - 1)
	return out.tasks
}

// small reports whether a task is a room that has too few members to send to them together, as far as is known.
func (t *task) small() bool { return t.pass == nil && t.members < together }

// runTogether runs passes of small rooms: what they send goes out with as few system calls as if they were one. None of the
// rooms has another pass under way.
func (s *Scheduler) runTogether(tasks []task, out *outlet) {
	// All begin before a member is held: that takes the lock of a room, whose holder may be waiting for a member.
	for _, t := range tasks {
		if p := s.begin(t.room); len(p.chunks) > 0 {
			out.parts = append(out.parts, part{pass: p})
		}
	}
	for i := range out.parts {
		p := &out.parts[i]
		for _, c := range p.pass.chunks {
			c.mu.Lock() // whoever has it waits for nothing
			c.dispatch(p.pass, out, &p.tally)
		}
	}
	out.flush()
	for i := range out.parts {
		p := &out.parts[i]
		for _, c := range p.pass.chunks {
			c.mu.Unlock()
		}
		s.did(p.pass, len(p.pass.chunks), &p.tally)
	}
	clear(out.parts)
	out.parts = out.parts[:0]
	clear(tasks)
}
