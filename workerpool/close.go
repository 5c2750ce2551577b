package workerpool

import "context"

// Close runs all accepted tasks to their end and returns when no goroutine of the pool is left. The pool accepts
// no more tasks. Callers that wait for space get ErrClosed at once.
//
// If ctx ends before that, Close drops the tasks that have not started, and ends the context of those
// that have. It returns a *CloseError that counts both. Close may be called again, to wait for the
// tasks that are still running. It returns nil if every accepted task ran to its end.
//
// A task that calls Close waits for itself until ctx ends.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.sendAway()
		go p.reap()
	}
	p.unlock()

	select {
	case <-p.done:
	case <-ctx.Done():
		if left := p.giveUp(ctx.Err()); left.Running > 0 {
			return left
		}
		<-p.done // no task is running, so nothing can hold this up
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stats.Dropped > 0 {
		return &CloseError{Dropped: int(p.stats.Dropped), Err: p.gaveUp}
	}
	return nil
}

// reap joins the workers and the goroutines of ants, and tells when they are gone.
func (p *Pool) reap() {
	select {
	case <-p.idle:
	case <-p.forced: // workers that are idle need not wait for one that is not
	}
	// Without a deadline the only error is that ants is closed, which nobody else does.
	_ = p.ants.ReleaseContext(context.Background())
	<-p.idle
	p.cancel(ErrClosed)
	close(p.done)
}

// sendAway answers all who wait for space.
func (p *Pool) sendAway() {
	var all []*waiter
	for e := p.entering.Front(); e != nil; e = e.Next() { // queues without a key included
		for at := e.Value.(*keyQueue).entering.Front(); at != nil; at = at.Next() {
			all = append(all, at.Value.(*waiter))
		}
	}
	for _, l := range p.queues {
		for e := l.waiting.Front(); e != nil; e = e.Next() {
			all = append(all, e.Value.(*waiter))
		}
	}
	for _, w := range all {
		if w.line == &w.l.entering {
			w.l.held--
		}
		p.answer(w, ErrClosed)
		w.t.free()
		p.freeIfUnused(w.l)
	}
}

// giveUp drops what has not started, ends the context of what has, and counts both.
func (p *Pool) giveUp(cause error) *CloseError {
	p.mu.Lock()
	again := p.gaveUp != nil
	if !again {
		p.gaveUp = cause
		for l := p.ready.pop(); l != nil; l = p.ready.pop() {
			p.drop(l)
		}
		for _, l := range p.queues { // those that are running
			p.drop(l)
		}
	}
	left := &CloseError{Dropped: int(p.stats.Dropped), Running: p.stats.Running, Err: cause}
	p.unlock()
	if !again {
		p.cancel(ErrClosed)
		close(p.forced)
	}
	return left
}

// drop throws away the tasks of a queue.
func (p *Pool) drop(l *keyQueue) {
	for t := l.pop(); t != nil; t = l.pop() {
		p.stats.Queued--
		p.stats.Dropped++
		if t.end != nil {
			t.end <- ErrClosed
		}
		t.free()
		p.vacate(l)
	}
	p.freeIfUnused(l)
}
