package memory

// bound brings what the broker holds back within its bounds. No room is locked by the caller.
func (b *Broker) bound() {
	for b.used.Load() > b.maxHistoryBytes {
		if !b.shedFrom(&b.heaviest, (*Broker).shedHistory) {
			break // what is left is metadata of subscribed rooms
		}
	}
	for b.lent.Load() > int64(b.allKeys) {
		if !b.shedFrom(&b.busiest, (*Broker).shedKeys) {
			break
		}
	}
}

// shedFrom takes the first of an agenda and sheds something of it. It returns false if there is none.
func (b *Broker) shedFrom(a *agenda, shed func(*Broker, *room)) bool {
	r, _ := a.take(never)
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer b.release(r)
	shed(b, r)
	b.replan(r)
	return true
}

// class is the weight of a history: worthless without messages, but for as long as somebody holds a position there.
func (h *history) class(subscribed bool) int {
	switch {
	case h.entries.n > 0:
		return classOf(h.bytes)
	case subscribed:
		return 0
	default:
		return worthless
	}
}

// shedHistory drops the older half of a locked room's messages, or its metadata if there are none; nothing if the
// weight by which it was taken is out of date.
func (b *Broker) shedHistory(r *room) {
	h := r.history
	switch {
	case h == nil || !h.weight.current(h.class(r.subscribed), h.touched):
	case h.entries.n == 0:
		b.forgetHistory(r)
		b.stats.evictedRooms.Add(1)
	default:
		before, n := h.bytes, (h.entries.n+1)/2
		for range n {
			h.drop()
		}
		h.entries.compact()
		b.used.Add(h.bytes - before)
		b.stats.evictedMessages.Add(int64(n))
	}
}

// shedKeys forgets the older half of a locked publisher's keys.
func (b *Broker) shedKeys(r *room) {
	k := r.keys
	if k == nil || !k.weight.current(classOf(int64(k.order.n)), k.due) {
		return
	}
	before, n := k.order.n, (k.order.n+1)/2
	for range n {
		k.drop()
	}
	k.order.compact()
	b.countKeys(r, before)
	b.stats.forgottenKeys.Add(int64(n))
	if k.order.n == 0 {
		b.forgetKeys(r)
	}
}
