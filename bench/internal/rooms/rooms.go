// Package rooms is the index from room to connections that the peers without rooms of their own are
// given, so that each pays the same for it.
package rooms

import "sync"

// Echo is the room of connections that are nobody's members, kept to count them. Nothing is
// published to it: the name cannot come from a load client.
const Echo = "\x00echo"

// Index maps rooms to their members. The zero value is empty. All methods may be called from
// several goroutines.
type Index[T comparable] struct {
	mu    sync.RWMutex
	rooms map[string]*room[T]
	total int
}

// room keeps its members in a slice, which a fan-out walks faster than a map.
type room[T comparable] struct {
	members []T
	at      map[T]int
}

// Add makes m a member of name. A member is added to a room once.
func (x *Index[T]) Add(name string, m T) {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.rooms[name]
	if r == nil {
		if x.rooms == nil {
			x.rooms = make(map[string]*room[T])
		}
		r = &room[T]{at: make(map[T]int)}
		x.rooms[name] = r
	}
	r.at[m] = len(r.members)
	r.members = append(r.members, m)
	x.total++
}

// Remove ends a membership; it does nothing where there is none.
func (x *Index[T]) Remove(name string, m T) {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.rooms[name]
	if r == nil {
		return
	}
	i, ok := r.at[m]
	if !ok {
		return
	}
	last := len(r.members) - 1
	r.members[i] = r.members[last]
	r.at[r.members[i]] = i
	delete(r.at, m)
	var zero T
	r.members[last] = zero
	r.members = r.members[:last]
	if last == 0 {
		delete(x.rooms, name)
	}
	x.total--
}

// Each calls fn with every member of name, under a read lock: fn must neither block on a member nor
// change the index.
func (x *Index[T]) Each(name string, fn func(T)) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if r := x.rooms[name]; r != nil {
		for _, m := range r.members {
			fn(m)
		}
	}
}

// Size is the number of members of name.
func (x *Index[T]) Size(name string) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if r := x.rooms[name]; r != nil {
		return len(r.members)
	}
	return 0
}

// Len is the number of members of all rooms.
func (x *Index[T]) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.total
}
