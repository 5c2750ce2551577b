package rooms

import (
	"hash/maphash"
	"sync"
)

// shards is how many locks the rooms share.
const shards = 64

// index finds the rooms of a node.
type index struct {
	seed   maphash.Seed
	shards [shards]indexShard
}

type indexShard struct {
	mu    sync.RWMutex
	rooms map[string]*Room
}

func (x *index) init() {
	x.seed = maphash.MakeSeed()
	for i := range x.shards {
		x.shards[i].rooms = make(map[string]*Room)
	}
}

func (x *index) shard(name string) *indexShard { return &x.shards[maphash.String(x.seed, name)%shards] }

// find returns a room that has members, or had a moment ago; else nil.
func (x *index) find(name string) *Room {
	s := x.shard(name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rooms[name]
}

// acquire returns a room, which it makes if there is none, and keeps it from going away until release. first reports whether
// nobody else holds it.
func (x *index) acquire(name string, create func() *Room) (r *Room, first bool) {
	s := x.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	r = s.hold(name, create)
	return r, r.refs == 1
}

// hold is called with mu held.
func (s *indexShard) hold(name string, create func() *Room) *Room {
	r := s.rooms[name]
	if r == nil {
		r = create()
		s.rooms[r.name] = r // the room's own name
	}
	r.refs++
	return r
}

// release is the end of what acquire began. last reports whether nobody else holds the room.
func (x *index) release(r *Room) (last bool) {
	s := x.shard(r.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.refs--
	return r.refs == 0
}

// unused reports whether nobody holds the room, and if forget is set, takes it out of the index then.
func (x *index) unused(r *Room, forget bool) bool {
	s := x.shard(r.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.refs > 0 {
		return false
	}
	if forget && s.rooms[r.name] == r {
		delete(s.rooms, r.name)
	}
	return true
}

// all returns the rooms of this moment.
func (x *index) all() (all []*Room) {
	for i := range x.shards {
		s := &x.shards[i]
		s.mu.RLock()
		for _, r := range s.rooms {
			all = append(all, r)
		}
		s.mu.RUnlock()
	}
	return all
}

func (x *index) len() int {
	n := 0
	for i := range x.shards {
		s := &x.shards[i]
		s.mu.RLock()
		n += len(s.rooms)
		s.mu.RUnlock()
	}
	return n
}
