package memory

import "time"

// sweepPause is how long the sweeper rests at least between two passes, so that many deadlines close
// together cost few wakeups.
const sweepPause = 100 * time.Millisecond

// sweep frees what expired. It decides only when memory comes back: readers and publishers look at
// the clock themselves.
func (b *Broker) sweep() {
	timer := time.NewTimer(never)
	defer timer.Stop()
	for {
		now := b.now()
		next := min(b.sweepOf(&b.histories, now), b.sweepOf(&b.idemKeys, now))
		timer.Reset(max(time.Duration(next-now), sweepPause))
		select {
		case <-b.stop:
			return
		case <-b.wake:
		case <-timer.C:
		}
	}
}

// sweepOf looks at all that is due by now and returns when the next is.
func (b *Broker) sweepOf(a *agenda, now int64) int64 {
	for b.open() {
		r, next := a.take(now)
		if r == nil {
			return next
		}
		r.mu.Lock()
		b.expire(r, now)
		b.release(r)
	}
	return never
}

// expire drops what expired in a locked room and plans the rest.
func (b *Broker) expire(r *room, now int64) {
	if h := r.history; h != nil {
		before := h.bytes
		h.expire(now)
		h.entries.compact()
		b.used.Add(h.bytes - before)
		if b.historyDue(r) <= now {
			b.forgetHistory(r)
		}
	}
	if k := r.keys; k != nil {
		before := k.order.n
		k.expire(now)
		k.order.compact()
		b.countKeys(r, before)
		if k.order.n == 0 {
			b.forgetKeys(r)
		}
	}
	b.replan(r)
}

func (b *Broker) forgetKeys(r *room) {
	b.idemKeys.plan(&r.keys.deadline, never)
	r.keys.weight.place(&b.busiest, 0, 0)
	r.keys = nil
}

// historyDue is when a room's oldest message expires, or, if there is none, its metadata. As long as
// the room is subscribed its metadata does not.
func (b *Broker) historyDue(r *room) int64 {
	h := r.history
	switch {
	case h.entries.n > 0:
		return after(h.entries.at(0).at, h.ttl)
	case r.subscribed:
		return never
	default:
		return after(h.touched, max(b.metadataTTL, h.ttl))
	}
}

// plan makes sure that the sweeper comes early enough to a locked room, and that its weight is about right. In a busy
// room it comes too early, now and then, which spares the publishers the agenda's lock.
func (b *Broker) plan(r *room) {
	if h := r.history; h != nil {
		if due := b.historyDue(r); due < h.due {
			b.histories.plan(&h.deadline, due)
		}
		h.weight.grown(&b.heaviest, h.class(r.subscribed), h.touched)
	}
	if k := r.keys; k != nil {
		if due := k.order.at(0).expires; due < k.due {
			b.idemKeys.plan(&k.deadline, due)
		}
		if r.isPublisher() {
			k.weight.grown(&b.busiest, classOf(int64(k.order.n)), k.due)
		}
	}
}

// replan sets the deadlines and weights of a locked room to what they are.
func (b *Broker) replan(r *room) {
	if h := r.history; h != nil {
		b.histories.plan(&h.deadline, b.historyDue(r))
		h.weight.place(&b.heaviest, h.class(r.subscribed), h.touched)
	}
	if k := r.keys; k != nil {
		b.idemKeys.plan(&k.deadline, k.order.at(0).expires)
		if r.isPublisher() {
			k.weight.place(&b.busiest, classOf(int64(k.order.n)), k.due)
		}
	}
}
