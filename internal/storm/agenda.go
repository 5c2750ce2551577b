package storm

import "time"

// agenda is a heap of events, the earliest first. Two of the same moment come in the order of their clients.
type agenda []event

type event struct {
	at     time.Duration
	client int
}

func (e event) before(f event) bool { return e.at < f.at || e.at == f.at && e.client < f.client }

func (a *agenda) push(at time.Duration, client int) {
	*a = append(*a, event{})
	h, i := *a, len(*a)-1
	e := event{at, client}
	for ; i > 0 && e.before(h[(i-1)/2]); i = (i - 1) / 2 {
		h[i] = h[(i-1)/2]
	}
	h[i] = e
}

// pop takes the earliest event; there must be one.
func (a *agenda) pop() (at time.Duration, client int) {
	h := *a
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*a = h
	i := 0
	for child := 1; child < len(h); child = 2*i + 1 {
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(last) {
			break
		}
		h[i], i = h[child], child
	}
	if len(h) > 0 {
		h[i] = last
	}
	return first.at, first.client
}
