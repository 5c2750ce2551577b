package hub

import (
	"iter"
	"slices"

	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/internal/engine/wire"
)

// inspectPage is how many places of the registry are read under its lock.
const inspectPage = 256

// Conns iterates over this node's connections, in no order. It holds no lock while the loop's body runs: it reads the
// registry 256 connections at a time, which takes a few microseconds. A connection that is open throughout is visited
// exactly once. A connection that opens or ends meanwhile may be visited or not.
func (h *Hub) Conns() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		var page []*Conn
		for from := 0; ; {
			page, from = h.conns.Page(page[:0], from, inspectPage)
			for _, c := range page {
				if !yield(c) {
					return
				}
			}
			if from == 0 {
				return
			}
		}
	}
}

// ConnsOf iterates over a user's connections on this node, as they are when the loop begins. The empty name, which
// anonymous connections have, selects no connection. It holds no lock while the loop's body runs.
func (h *Hub) ConnsOf(user string) iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for _, c := range h.users.Conns(user) {
			if !yield(c) {
				return
			}
		}
	}
}

// Members iterates over this node's members of a room. It locks 64 members at a time, and holds no lock while the
// loop's body runs. A connection that is a member throughout is visited exactly once. A connection that leaves
// meanwhile and joins again may be visited twice.
func (h *Hub) Members(room string) iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		r := h.rooms.Find(room)
		if r == nil {
			return
		}
		r.Owners(func(o wire.Owner) bool {
			e, ok := o.(*endpoint)
			return !ok || yield((*Conn)(e))
		})
	}
}

// Conn returns the connection of this node with an ID, as Conn.ID returns it; nil if there is none. It looks at all
// connections of the node.
func (h *Hub) Conn(id string) *Conn {
	num := h.connNum(id)
	if num == 0 {
		return nil
	}
	for c := range h.Conns() {
		if c.entry.Num == num {
			return c
		}
	}
	return nil
}

// Rooms iterates over the rooms that have members on this node, in no order. RoomInfo.Members is as of the visit. It
// holds no lock while the loop's body runs. It reads the rooms in 64 parts, and locks one part while it copies the
// pointers to that part's rooms. A room that has members throughout is visited exactly once.
func (h *Hub) Rooms() iter.Seq[RoomInfo] {
	return func(yield func(RoomInfo) bool) {
		h.eachRoom(func(r *rooms.Room, members int) bool { return yield(h.roomInfo(r.Name(), members)) })
	}
}

// eachRoom calls f for the rooms with members, until f returns false.
func (h *Hub) eachRoom(f func(r *rooms.Room, members int) bool) {
	for i := range rooms.Shards {
		for _, r := range h.rooms.Shard(i) {
			if n := r.Len(); n > 0 && !f(r, n) {
				return
			}
		}
	}
}

// LargestRooms returns the n rooms with the most members on this node, the largest first. It looks at every room once,
// as Rooms does, and sorts n of them.
func (h *Hub) LargestRooms(n int) []RoomInfo { return h.largest(n, func(string) bool { return true }) }

// largest returns the n largest of the rooms whose names match.
func (h *Hub) largest(n int, matches func(name string) bool) []RoomInfo {
	type room struct {
		name    string
		members int
	}
	most := top[room]{n: n, less: func(a, b room) bool {
		return a.members < b.members || a.members == b.members && a.name > b.name
	}}
	h.eachRoom(func(r *rooms.Room, members int) bool {
		if matches(r.Name()) {
			most.offer(room{r.Name(), members})
		}
		return true
	})
	out := make([]RoomInfo, 0, len(most.items))
	for _, r := range most.sorted() {
		out = append(out, h.roomInfo(r.name, r.members))
	}
	return out
}

// SlowestConns returns the n connections of this node with the largest backlog in bytes, the largest first. Connections
// without a backlog are left out. It looks at every connection once, as Conns does, and sorts n of them.
func (h *Hub) SlowestConns(n int) []ConnInfo {
	slow := slowest(n, h.Conns())
	out := make([]ConnInfo, 0, len(slow))
	for _, c := range slow {
		out = append(out, c.Info())
	}
	return out
}

// slowest returns the n connections with the largest backlog.
func slowest(n int, conns iter.Seq[*Conn]) []*Conn {
	type slow struct {
		c     *Conn
		bytes int
	}
	most := top[slow]{n: n, less: func(a, b slow) bool {
		return a.bytes < b.bytes || a.bytes == b.bytes && a.c.entry.Num > b.c.entry.Num
	}}
	for c := range conns {
		if _, bytes := c.writer.Backlog(); bytes > 0 && c.state.at() != closed {
			most.offer(slow{c, bytes})
		}
	}
	out := make([]*Conn, 0, len(most.items))
	for _, s := range most.sorted() {
		out = append(out, s.c)
	}
	return out
}

// top keeps the n greatest items that it is offered, in a heap with the least of them first.
type top[T any] struct {
	n     int
	less  func(a, b T) bool
	items []T
}

func (t *top[T]) offer(x T) {
	switch {
	case len(t.items) < t.n:
		t.items = append(t.items, x)
		for i := len(t.items) - 1; i > 0 && t.less(t.items[i], t.items[(i-1)/2]); i = (i - 1) / 2 {
			t.items[i], t.items[(i-1)/2] = t.items[(i-1)/2], t.items[i]
		}
	case t.n > 0 && t.less(t.items[0], x):
		t.items[0] = x
		t.sink()
	}
}

// sink moves the first item to its place.
func (t *top[T]) sink() {
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.items); child++ {
			if t.less(t.items[child], t.items[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		t.items[i], t.items[least] = t.items[least], t.items[i]
		i = least
	}
}

// sorted returns the items, the greatest first. Nothing may be offered afterwards.
func (t *top[T]) sorted() []T {
	slices.SortFunc(t.items, func(a, b T) int {
		switch {
		case t.less(b, a):
			return -1
		case t.less(a, b):
			return 1
		}
		return 0
	})
	return t.items
}
