package admission

import "time"

// promises counts the clients that were told when to come back and have not come. A promise that is not redeemed expires
// at its own end, rounded up to a slot: a client that does not come reserves nothing for longer.
type promises struct {
	slots [promiseSlots]uint32 // by the slot of their end, in a ring
	first int64                // the slot of now; earlier ones are empty
	n     int
}

const (
	promiseSlot = 4 * time.Second
	// promiseSlots hold the latest end that there is, MaxWait and its grace from now.
	promiseSlots = 256
)

// grace is how long after a wait its client may still come: Retry-After is in whole seconds and the client adds
// as much as half of it, at least a second; then come a busy machine and a slow network.
func grace(wait time.Duration) time.Duration { return wait/2 + 3*time.Second }

// advance lets the promises expire whose end has come.
func (p *promises) advance(now time.Duration) {
	to := int64(now / promiseSlot)
	for ; p.first < to && p.n > 0; p.first++ {
		slot := &p.slots[p.first%promiseSlots]
		p.n -= int(*slot)
		*slot = 0
	}
	p.first = to
}

// add is called after advance, with an end that is not past.
func (p *promises) add(end time.Duration) {
	slot := min(int64(end/promiseSlot), p.first+promiseSlots-1)
	p.slots[slot%promiseSlots]++
	p.n++
}

// redeem takes the promise back that ends first, if there is one.
func (p *promises) redeem() {
	if p.n == 0 {
		return
	}
	p.n--
	for s := p.first; ; s++ {
		if slot := &p.slots[s%promiseSlots]; *slot > 0 {
			*slot--
			return
		}
	}
}

func (p *promises) len() int { return p.n }
