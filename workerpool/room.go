package workerpool

import (
	"container/list"
	"context"
	"time"
)

// A task needs a place in its key's share and then one in the pool, and holds both until it has
// finished. Who finds no place waits in line for it, if the policy is to wait, and places that
// become free are handed to those in line, so that nobody who comes later overtakes them.

// waiter is a submitter in one of the two lines.
type waiter struct {
	l       *lane
	t       *task
	line    *list.List
	at      *list.Element // nil once out of line
	settled chan error    // has room for the one answer
}

func (w *waiter) enter(line *list.List) {
	w.line, w.at = line, line.PushBack(w)
}

func (w *waiter) leave() {
	w.line.Remove(w.at)
	w.at = nil
}

func first(line *list.List) *waiter { return line.Front().Value.(*waiter) }

// unfinished is the number of places taken.
func (p *Pool) unfinished() int { return p.stats.Queued + p.stats.Running }

// submit accepts t, waits for room as the policy says, or refuses it. It is called with p.mu locked
// and returns with it unlocked.
func (p *Pool) submit(ctx context.Context, l *lane, t *task) error {
	shareFull, full := l.held >= p.share, p.unfinished() >= p.capacity()
	var err error
	switch {
	case p.closed:
		err = ErrClosed
	case shareFull || full:
		if p.policy.block {
			return p.wait(ctx, l, t, shareFull)
		}
		err = p.refuse(l, shareFull, nil)
	default:
		l.held++
		p.accept(l, t)
	}
	if err != nil {
		t.free()
		p.freeIfUnused(l)
	}
	p.unlock()
	return err
}

// wait stands in line until t is accepted, or the policy or ctx says that it has been long enough. It
// is called with p.mu locked and returns with it unlocked.
func (p *Pool) wait(ctx context.Context, l *lane, t *task, shareFull bool) error {
	w := &waiter{l: l, t: t, settled: make(chan error, 1)}
	if shareFull {
		w.enter(&l.waiting)
	} else {
		l.held++
		w.enter(&p.waiting)
	}
	p.stats.Blocked++
	p.unlock()

	var expired <-chan time.Time
	if p.policy.limited {
		timer := time.NewTimer(p.policy.wait)
		defer timer.Stop()
		expired = timer.C
	}
	var cause error
	select {
	case err := <-w.settled:
		return err
	case <-expired:
	case <-ctx.Done():
		cause = ctx.Err()
	}

	p.mu.Lock()
	if w.at == nil { // settled in the meantime
		p.mu.Unlock()
		return <-w.settled
	}
	inShare := w.line == &l.waiting
	w.leave()
	p.stats.Blocked--
	err := p.refuse(l, inShare, cause)
	if !inShare {
		l.held--
		p.advance(l)
	}
	t.free()
	p.freeIfUnused(l)
	p.unlock()
	return err
}

// vacate gives back the places of a task that has finished or will not start.
func (p *Pool) vacate(l *lane) {
	l.unfinished--
	if l.keyed && l.unfinished == 0 {
		p.stats.Keys--
		p.busy.add(l.key, -1)
	}
	l.held--
	p.advance(l)
}

// advance hands free places of l's share and of the pool to those who wait for them.
func (p *Pool) advance(l *lane) {
	for l.waiting.Len() > 0 && l.held < p.share {
		w := first(&l.waiting)
		w.leave()
		l.held++
		w.enter(&p.waiting)
	}
	for p.waiting.Len() > 0 && p.unfinished() < p.capacity() {
		w := first(&p.waiting)
		p.settle(w, nil)
		p.accept(w.l, w.t)
	}
}

func (p *Pool) settle(w *waiter, err error) {
	w.leave()
	p.stats.Blocked--
	w.settled <- err
}

// refuse counts a task that is not accepted and says why.
func (p *Pool) refuse(l *lane, share bool, cause error) error {
	p.stats.Rejected++
	return &BusyError{Share: share, RetryAfter: p.retryAfter(l, share), Err: cause}
}

// retryAfter estimates the time to work off a key's tasks, or all of them.
func (p *Pool) retryAfter(l *lane, share bool) time.Duration {
	if p.stats.Completed == 0 {
		return time.Second
	}
	d := time.Duration(p.unfinished()) * p.meanRun / time.Duration(p.workers)
	if share {
		// One of them runs each time the turn has gone round all lanes.
		lanes := p.ready.len + p.stats.Running
		round := max(p.meanRun, time.Duration(lanes)*p.meanRun/time.Duration(p.workers))
		d = time.Duration(l.unfinished) * round
	}
	return max(d, time.Millisecond)
}

// takeBack removes a task of Do that has not started.
func (p *Pool) takeBack(key uint64, t *task) {
	p.mu.Lock()
	defer p.unlock()
	// The task's own lane may have ended and another begun: only a search tells.
	if l := p.lanes[key]; l != nil && l.remove(t) {
		p.stats.Queued--
		p.stats.Canceled++
		p.vacate(l)
	}
}
