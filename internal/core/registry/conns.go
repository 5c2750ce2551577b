// Package registry holds the connections of a node: all of them ([Conns]), those of a user ([Users]), and the rights that
// were revoked while connections were still handshaking ([Revocations]).
package registry

import (
	"slices"
	"sync"
)

// Entry is the registry's part of a connection. There may be a million, so each keeps it inside itself.
type Entry[C any] struct {
	// Num numbers the connections of a node, from 1. The connection sets it before it is added.
	Num uint64

	nextOfUser C // guarded by the user's shard
	slot       uint32

	// Own is the connection's own: it would be padding.
	Own uint32
}

// Token returns the token by which Find finds the connection. It is valid once the connection has been added.
func (e *Entry[C]) Token() uint64 { return uint64(uint32(e.Num))<<32 | uint64(e.slot) }

// Slot returns the connection's place in Conns. The connection has it from Add to Remove.
func (e *Entry[C]) Slot() uint32 { return e.slot }

// Conns holds the connections of a node, and finds one by its token. A token is a slot and half of the connection's number,
// which tells a later connection in the same slot apart. Its methods may be called from several goroutines.
type Conns[C comparable] struct {
	entry func(C) *Entry[C]

	mu    sync.RWMutex
	slots []C
	free  []uint32
}

// NewConns makes an empty Conns. entry returns the Entry inside a connection.
func NewConns[C comparable](entry func(C) *Entry[C]) *Conns[C] { return &Conns[C]{entry: entry} }

// Add adds a connection.
func (r *Conns[C]) Add(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.free); n > 0 {
		slot := r.free[n-1]
		r.free = r.free[:n-1]
		r.slots[slot] = c
		r.entry(c).slot = slot
		return
	}
	r.entry(c).slot = uint32(len(r.slots))
	r.slots = append(r.slots, c)
}

// Remove removes a connection that was added.
func (r *Conns[C]) Remove(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var none C
	slot := r.entry(c).slot
	r.slots[slot] = none
	r.free = append(r.free, slot)
	if len(r.free) == len(r.slots) {
		r.slots, r.free = nil, nil
	}
}

// Find returns the connection of a token, or the zero C if it is gone.
func (r *Conns[C]) Find(token uint64) C {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var none C
	if slot := uint32(token); int(slot) < len(r.slots) {
		if c := r.slots[slot]; c != none && uint32(r.entry(c).Num) == uint32(token>>32) {
			return c
		}
	}
	return none
}

// Slots returns the number of places, those of connections that are gone included.
func (r *Conns[C]) Slots() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.slots)
}

// Len returns the number of connections.
func (r *Conns[C]) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.slots) - len(r.free)
}

// Some calls f for the connections of up to n places, from a place on, until f returns false. It returns the place to
// continue from. f is called without the lock.
func (r *Conns[C]) Some(from, n int, f func(C) bool) (next int) {
	r.mu.RLock()
	if from >= len(r.slots) {
		from = 0
	}
	part := slices.Clone(r.slots[from:min(from+n, len(r.slots))])
	r.mu.RUnlock()
	var none C
	for i, c := range part {
		if c != none && !f(c) {
			return from + i
		}
	}
	return from + len(part)
}

// Page appends the connections of up to n places to dst, from a place on. It returns the place to continue from, or zero if
// there are no more. A connection keeps its place, so pages visit one that stays exactly once.
func (r *Conns[C]) Page(dst []C, from, n int) (page []C, next int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var none C
	end := min(from+n, len(r.slots))
	for ; from < end; from++ {
		if c := r.slots[from]; c != none {
			dst = append(dst, c)
		}
	}
	if end >= len(r.slots) {
		end = 0
	}
	return dst, end
}

// All returns the connections of this moment.
func (r *Conns[C]) All() []C {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var none C
	out := make([]C, 0, len(r.slots)-len(r.free))
	for _, c := range r.slots {
		if c != none {
			out = append(out, c)
		}
	}
	return out
}
