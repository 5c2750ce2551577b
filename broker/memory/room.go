package memory

import (
	"hash/maphash"
	"iter"
	"maps"
	"strings"
	"sync"

	"github.com/gohubkit/hubkit/broker"
)

const (
	shardCount = 64
	// shrinkFrom is the size from which on a shard's map is rebuilt once most of it is gone; Go's maps
	// do not shrink.
	shrinkFrom = 256
)

// shard is a part of the room table.
type shard struct {
	mu    sync.RWMutex
	rooms map[string]*room
	peak  int      // the most rooms since the map was made
	_     [24]byte // to a cache line of its own
}

// room is what the broker knows of a room, or holds of a publisher. It is in the table as long as it is not empty.
type room struct {
	name string

	mu         sync.Mutex
	subscribed bool
	to         broker.RoomReceiver // of a subscribed room; nil if the receiver finds it by its name
	gone       bool                // taken out of the table: look again
	void       string              // the epoch of a subscribed room without history; see voids
	history    *history
	keys       *keys
	members    map[string]broker.Member
	out        *[1]broker.Message // what Deliver is given, so that Publish allocates nothing; nil before the first
}

func (r *room) empty() bool {
	return !r.subscribed && r.history == nil && r.keys == nil && r.members == nil
}

func (b *Broker) shard(name string) *shard {
	return &b.shards[maphash.String(b.seed, name)%shardCount]
}

// find returns the room, locked, or nil if there is none.
func (b *Broker) find(name string) *room {
	s := b.shard(name)
	for {
		s.mu.RLock()
		r := s.rooms[name]
		s.mu.RUnlock()
		if r == nil {
			return nil
		}
		r.mu.Lock()
		if !r.gone {
			return r
		}
		r.mu.Unlock()
	}
}

// findOrCheck is find for a name that nobody has checked yet; the names in the table are valid.
func (b *Broker) findOrCheck(name string) (*room, error) {
	if strings.HasPrefix(name, publisherMark) {
		return nil, broker.CheckRoom(name)
	}
	if r := b.find(name); r != nil {
		return r, nil
	}
	return nil, broker.CheckRoom(name)
}

// findOrMake returns the room, locked. The name must be valid. It may be a piece of something larger, which the table does
// not keep alive.
func (b *Broker) findOrMake(name string) *room {
	if r := b.find(name); r != nil {
		return r
	}
	return b.findOrKeep(strings.Clone(name))
}

// findOrKeep is findOrMake, and keeps the name as it is.
func (b *Broker) findOrKeep(name string) *room {
	for {
		if r := b.find(name); r != nil {
			return r
		}
		r := &room{name: name}
		r.mu.Lock()
		if b.shard(name).add(r) {
			return r
		}
	}
}

// release unlocks a room, and forgets it if there is nothing to remember.
func (b *Broker) release(r *room) {
	if r.empty() && !r.gone {
		r.gone = true
		b.shard(r.name).remove(r)
	}
	r.mu.Unlock()
}

func (s *shard) add(r *room) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[r.name] != nil {
		return false
	}
	s.rooms[r.name] = r
	s.peak = max(s.peak, len(s.rooms))
	return true
}

func (s *shard) remove(r *room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rooms, r.name)
	if s.peak < shrinkFrom || len(s.rooms) > s.peak/4 {
		return
	}
	left := make(map[string]*room, len(s.rooms))
	maps.Copy(left, s.rooms)
	s.rooms, s.peak = left, len(left)
}

// allRooms yields the rooms of the table, unlocked, a shard at a time.
func (b *Broker) allRooms() iter.Seq[*room] {
	return func(yield func(*room) bool) {
		var rooms []*room
		for i := range b.shards {
			s := &b.shards[i]
			s.mu.RLock()
			rooms = rooms[:0]
			for _, r := range s.rooms {
				rooms = append(rooms, r)
			}
			s.mu.RUnlock()
			for _, r := range rooms {
				if !yield(r) {
					return
				}
			}
		}
	}
}
