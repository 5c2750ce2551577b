package workerpool

import (
	"container/list"
	"context"
	"time"
)

// A task needs a place in its key's share and then one in the pool, and holds both until it has
// finished. A submitter that finds no place waits in line for it, if the policy is to wait. Places that
// become free are handed to those in line, so that nobody who comes later overtakes them; the pool's are handed
// to the keys in turn, one at a time.
//
// If the policy is not to wait, the share shrinks as the pool fills: a key gets a further place only while more are
// free than it holds. Packet switches bound their queues like this (Choudhury and Hahne's dynamic thresholds): n keys that
// ask for all they can get come to leave one place in n+1. Until they do, an eighth of the places is kept for keys with
// nothing in the pool.

// keptFor is the part of the places that no key's second task gets.
const keptFor = 8

// waiter is a submitter in one of its queue's two lines.
type waiter struct {
	l        *keyQueue
	t        *task
	line     *list.List    // l.waiting or l.entering
	at       *list.Element // nil once out of line
	answered chan error    // has space for the one answer
}

func (w *waiter) enter(line *list.List) {
	w.line, w.at = line, line.PushBack(w)
}

// enterPool takes a place in the share and stands in line for one in the pool.
func (p *Pool) enterPool(w *waiter) {
	w.l.held++
	w.enter(&w.l.entering)
	if w.l.turn == nil {
		w.l.turn = p.entering.PushBack(w.l)
	}
}

// leave takes w out of its line.
func (p *Pool) leave(w *waiter) {
	w.line.Remove(w.at)
	w.at = nil
	if l := w.l; l.turn != nil && l.entering.Len() == 0 {
		p.entering.Remove(l.turn)
		l.turn = nil
	}
}

func first(line *list.List) *waiter { return line.Front().Value.(*waiter) }

// unfinished is the number of places taken.
func (p *Pool) unfinished() int { return p.stats.Queued + p.stats.Running }

// shareFull reports whether the key has to wait for tasks of its own.
func (p *Pool) shareFull(l *keyQueue) bool {
	if l.held >= p.share {
		return true
	}
	return !p.policy.block && l.held > 0 && l.held >= p.capacity()-p.unfinished()-p.capacity()/keptFor
}

// submit accepts t, waits for space as the policy says, or refuses it. It is called with p.mu locked
// and returns with it unlocked.
func (p *Pool) submit(ctx context.Context, l *keyQueue, t *task) error {
	shareFull, full := p.shareFull(l), p.unfinished() >= p.capacity()
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

// refuseNew refuses a key that has nothing in a full pool, if the policy is not to wait. It makes no queue for it: refusals are
// what a flood consists of. It is called with p.mu locked.
func (p *Pool) refuseNew(key uint64) error {
	if p.closed || p.policy.block || p.unfinished() < p.capacity() || p.queues[key] != nil {
		return nil
	}
	return p.refuse(nil, false, nil)
}

// wait stands in line until t is accepted, or the policy or ctx says that it has been long enough. It
// is called with p.mu locked and returns with it unlocked.
func (p *Pool) wait(ctx context.Context, l *keyQueue, t *task, shareFull bool) error {
	w := &waiter{l: l, t: t, answered: make(chan error, 1)}
	if shareFull {
		w.enter(&l.waiting)
	} else {
		p.enterPool(w)
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
	case err := <-w.answered:
		return err
	case <-expired:
	case <-ctx.Done():
		cause = ctx.Err()
	}

	p.mu.Lock()
	if w.at == nil { // answered in the meantime
		p.mu.Unlock()
		return <-w.answered
	}
	inShare := w.line == &l.waiting
	p.leave(w)
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
func (p *Pool) vacate(l *keyQueue) {
	l.unfinished--
	if l.keyed && l.unfinished == 0 {
		p.stats.Keys--
		p.busy.add(l.key, -1)
	}
	l.held--
	p.advance(l)
}

// advance hands free places of l's share and of the pool to those who wait for them.
func (p *Pool) advance(l *keyQueue) {
	for l.waiting.Len() > 0 && l.held < p.share {
		w := first(&l.waiting)
		p.leave(w)
		p.enterPool(w)
	}
	for p.entering.Len() > 0 && p.unfinished() < p.capacity() {
		l := p.entering.Front().Value.(*keyQueue)
		w := first(&l.entering)
		p.answer(w, nil)
		if l.turn != nil {
			p.entering.MoveToBack(l.turn)
		}
		p.accept(l, w.t)
	}
}

func (p *Pool) answer(w *waiter, err error) {
	p.leave(w)
	p.stats.Blocked--
	w.answered <- err
}

// refuse counts a task that is not accepted and says why.
func (p *Pool) refuse(l *keyQueue, share bool, cause error) error {
	p.stats.Rejected++
	if share {
		p.stats.RejectedShare++
	}
	return &BusyError{Share: share, RetryAfter: p.retryAfter(l, share), Err: cause}
}

// retryAfter estimates the time to work off a key's tasks, or if share is not set, all of them; l may be nil then.
func (p *Pool) retryAfter(l *keyQueue, share bool) time.Duration {
	if p.stats.Completed == 0 {
		return time.Second
	}
	d := time.Duration(p.unfinished()) * p.meanRun / time.Duration(p.workers)
	if share {
		// One of them runs each time the turn has gone round all queues.
		queues := p.ready.len + p.stats.Running
		round := max(p.meanRun, time.Duration(queues)*p.meanRun/time.Duration(p.workers))
		d = time.Duration(l.unfinished) * round
	}
	return max(d, time.Millisecond)
}

// takeBack removes a task of Do that has not started.
func (p *Pool) takeBack(key uint64, t *task) {
	p.mu.Lock()
	defer p.unlock()
	// The task's own queue may have ended and another begun: only a search tells.
	if l := p.queues[key]; l != nil && l.remove(t) {
		p.stats.Queued--
		p.stats.Canceled++
		p.vacate(l)
	}
}
