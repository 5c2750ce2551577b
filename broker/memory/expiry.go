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
		k.expire(now)
		k.order.compact()
		if k.order.n == 0 {
			b.idemKeys.plan(&k.deadline, never)
			r.keys = nil
		}
	}
	b.replan(r)
}

// historyDue is when a room's oldest message expires, or, where there is none, its metadata. As long as
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

// plan makes sure that the sweeper comes early enough to a locked room. In a busy room it comes too
// early, now and then, which spares the publishers the agenda's lock.
func (b *Broker) plan(r *room) {
	if r.history != nil {
		if due := b.historyDue(r); due < r.history.due {
			b.histories.plan(&r.history.deadline, due)
		}
	}
	if r.keys != nil {
		if due := r.keys.order.at(0).expires; due < r.keys.due {
			b.idemKeys.plan(&r.keys.deadline, due)
		}
	}
}

// replan sets the deadlines of a locked room to what they are.
func (b *Broker) replan(r *room) {
	if r.history != nil {
		b.histories.plan(&r.history.deadline, b.historyDue(r))
	}
	if r.keys != nil {
		b.idemKeys.plan(&r.keys.deadline, r.keys.order.at(0).expires)
	}
}

// makeRoom brings the histories back within their bound. It drops what would expire first: messages,
// and when there are none left, metadata. No room is locked by the caller.
func (b *Broker) makeRoom() {
	for b.used.Load() > b.maxHistoryBytes {
		r, _ := b.histories.take(never)
		if r == nil {
			return // what is left is metadata of subscribed rooms
		}
		r.mu.Lock()
		b.shed(r)
		b.release(r)
	}
}

// shed drops the older half of a locked room's messages, or its metadata where there are none.
func (b *Broker) shed(r *room) {
	h := r.history
	if h == nil {
		return
	}
	switch {
	case h.entries.n > 0:
		before := h.bytes
		for range (h.entries.n + 1) / 2 {
			h.drop()
		}
		h.entries.compact()
		b.used.Add(h.bytes - before)
	case !r.subscribed:
		b.forgetHistory(r)
	}
	b.replan(r)
}
