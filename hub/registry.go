package hub

import (
	"slices"
	"sync"
)

// registry holds the connections of a node, and finds one by the token that the poller carries: a slot,
// and half of the connection's number to tell its user from the one before.
type registry struct {
	mu    sync.RWMutex
	slots []*Conn
	free  []uint32
}

func (r *registry) add(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.free); n > 0 {
		c.slot = r.free[n-1]
		r.free = r.free[:n-1]
		r.slots[c.slot] = c
		return
	}
	c.slot = uint32(len(r.slots))
	r.slots = append(r.slots, c)
}

func (r *registry) remove(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slots[c.slot] = nil
	r.free = append(r.free, c.slot)
	if len(r.free) == len(r.slots) {
		r.slots, r.free = nil, nil
	}
}

func (r *registry) find(token uint64) *Conn {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if slot := uint32(token); int(slot) < len(r.slots) {
		if c := r.slots[slot]; c != nil && uint32(c.num) == uint32(token>>32) {
			return c
		}
	}
	return nil
}

// size is how many slots there are.
func (r *registry) size() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.slots)
}

func (r *registry) len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.slots) - len(r.free)
}

// some calls f for up to n connections, from a slot on, until f says that it is enough, and returns the slot to go
// on from. f is called without the lock.
func (r *registry) some(from, n int, f func(*Conn) bool) (next int) {
	r.mu.RLock()
	if from >= len(r.slots) {
		from = 0
	}
	part := slices.Clone(r.slots[from:min(from+n, len(r.slots))])
	r.mu.RUnlock()
	for i, c := range part {
		if c != nil && !f(c) {
			return from + i
		}
	}
	return from + len(part)
}

// all returns the connections of this moment.
func (r *registry) all() []*Conn {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*Conn, 0, len(r.slots)-len(r.free))
	for _, c := range r.slots {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

// token is what the poller hands back for c.
func (c *Conn) token() uint64 { return uint64(uint32(c.num))<<32 | uint64(c.slot) }
