package otel

import (
	"sync"
	"time"
)

// rate lets so many through in each second. It is for one Tracer, over all of its hubs.
type rate struct {
	perSecond int

	mu    sync.Mutex
	since time.Time // of the second under way
	taken int
}

func (r *rate) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.since) >= time.Second {
		r.since, r.taken = now, 0
	}
	if r.taken >= r.perSecond {
		return false
	}
	r.taken++
	return true
}
