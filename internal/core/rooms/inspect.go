package rooms

import (
	"cmp"
	"slices"

	"github.com/gohubkit/hubkit/internal/engine/fanout"
	"github.com/gohubkit/hubkit/internal/engine/wire"
)

// Shards is into how many parts the rooms are divided by their names. A room stays in its part.
const Shards = shards

// Find returns a room that has members, or had a moment ago; else nil.
func (n *Node) Find(name string) *Room { return n.index.find(name) }

// Shard returns the rooms of a part at this moment, those without members included, by name. The part is locked while they are
// copied.
func (n *Node) Shard(i int) []*Room {
	s := &n.index.shards[i]
	s.mu.RLock()
	rooms := make([]*Room, 0, len(s.rooms))
	for _, r := range s.rooms {
		rooms = append(rooms, r)
	}
	s.mu.RUnlock()
	slices.SortFunc(rooms, func(a, b *Room) int { return cmp.Compare(a.name, b.name) })
	return rooms
}

// Held reports whether connections are members of a room, or are joining it.
func (n *Node) Held(name string) bool {
	s := n.index.shard(name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.rooms[name]
	return r != nil && r.refs > len(r.tapped())
}

// Owners calls f for the owner of each member's Writer, until f returns false; see fanout.Room.Members.
func (r *Room) Owners(f func(wire.Owner) bool) {
	r.Members(func(m fanout.Member) bool {
		w, ok := m.(*wire.Writer)
		return !ok || f(w.Owner())
	})
}
