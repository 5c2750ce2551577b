package hub

import (
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/gohubkit/hubkit/internal/core/rooms"
)

const (
	// inspectLooks bounds how many places a node looks at for one page, and inspectBytes the size of its answer.
	inspectLooks = 20_000
	inspectBytes = 512 << 10
	// inspectRooms is how many rooms of a connection a page names.
	inspectRooms = 20
	// inspectAllRooms is how many rooms a page names of a connection that is queried by its ID.
	inspectAllRooms = 1000
)

// sheet gathers one node's page.
type sheet[T any] struct {
	limit, bytes int
	items        []T
}

func newSheet[T any](limit int) *sheet[T] {
	if limit <= 0 {
		limit = defaultInspectLimit
	}
	return &sheet[T]{limit: min(limit, maxInspectLimit), bytes: inspectBytes, items: []T{}}
}

// add takes an item. If the item is too large for any page, it takes little's short form. It reports false if the page
// is full.
func (s *sheet[T]) add(item T, little func() T) bool {
	size := encodedSize(item)
	if size > inspectBytes {
		item = little()
		size = encodedSize(item)
	}
	if len(s.items) >= s.limit || size > s.bytes {
		return false
	}
	s.bytes -= size
	s.items = append(s.items, item)
	return true
}

func encodedSize(v any) int {
	b, err := json.Marshal(v)
	if err != nil { // none of the types has a value that cannot be encoded
		return 0
	}
	return len(b) + len(",")
}

// resumesOn returns where a page begins on this node. It reports false if the node has no more.
func (h *Hub) resumesOn(after map[string]string) (cursor string, ok bool) {
	if after == nil {
		return "", true
	}
	cursor, ok = after[h.node]
	return cursor, ok
}

// listConns is this node's page of connections.
func (h *Hub) listConns(q ConnQuery) (part[ConnInfo], error) {
	out := newSheet[ConnInfo](q.Limit)
	cursor, ok := h.resumesOn(q.After)
	if !ok || q.Node != "" && q.Node != h.node {
		return part[ConnInfo]{Items: out.items}, nil
	}
	var from uint64
	if cursor != "" {
		var err error
		if from, err = strconv.ParseUint(cursor, 36, 64); err != nil {
			return part[ConnInfo]{}, errCursor
		}
	}
	var next string
	switch most := inspectRooms; {
	case q.Slowest:
		h.listAll(out, q, slices.Values(h.slowestOf(q, out.limit)), most)
	case q.Conn != "":
		h.listAll(out, q, h.meant(ByConn(q.Conn)), inspectAllRooms)
	case q.User != "":
		next = h.listByNumber(out, q, from, h.ConnsOf(q.User))
	case q.Room != "":
		next = h.listByNumber(out, q, from, h.Members(q.Room))
	default:
		next = h.listBySlot(out, q, from)
	}
	return part[ConnInfo]{Items: out.items, Next: next}, nil
}

// matches reports whether a query selects the connection.
func (c *Conn) matches(q *ConnQuery) bool {
	return (q.User == "" || c.Identity().User == q.User) &&
		(q.Session == "" || c.Session() == q.Session) &&
		(q.Conn == "" || c.hub.connNum(q.Conn) == c.entry.Num) &&
		(q.Room == "" || c.rooms.Find(q.Room) != nil)
}

// put adds a connection to a page, with at most rooms of its rooms. It reports false if the page is full.
func (c *Conn) put(out *sheet[ConnInfo], rooms int) bool {
	i := c.Info()
	i.Rooms = i.Rooms[:min(len(i.Rooms), rooms)]
	return out.add(i, func() ConnInfo { return ConnInfo{ID: i.ID, Node: i.Node, State: i.State, Rooms: []string{}} })
}

// listAll lists connections that have to fit on one page.
func (h *Hub) listAll(out *sheet[ConnInfo], q ConnQuery, conns iter.Seq[*Conn], rooms int) {
	for c := range conns {
		if c.matches(&q) && !c.put(out, rooms) {
			return
		}
	}
}

// slowestOf returns the n slowest connections that a query selects.
func (h *Hub) slowestOf(q ConnQuery, n int) []*Conn {
	return slowest(n, func(yield func(*Conn) bool) {
		for c := range h.Conns() {
			if c.matches(&q) && !yield(c) {
				return
			}
		}
	})
}

// listByNumber lists connections by their numbers, from after one on. It returns the cursor of the next page.
func (h *Hub) listByNumber(out *sheet[ConnInfo], q ConnQuery, after uint64, conns iter.Seq[*Conn]) (next string) {
	first := top[*Conn]{n: out.limit + 1, less: func(a, b *Conn) bool { return a.entry.Num > b.entry.Num }}
	for c := range conns {
		if c.entry.Num > after && c.matches(&q) {
			first.offer(c)
		}
	}
	for _, c := range first.sorted() {
		if !c.put(out, inspectRooms) {
			return strconv.FormatUint(after, 36)
		}
		after = c.entry.Num
	}
	return ""
}

// listBySlot lists connections by their places in the registry, from one on. It returns the cursor of the next page.
func (h *Hub) listBySlot(out *sheet[ConnInfo], q ConnQuery, from uint64) (next string) {
	at, end := int(min(from, 1<<30)), int(min(from, 1<<30))+inspectLooks
	var page []*Conn
	for at < end {
		page, at = h.conns.Page(page[:0], at, inspectPage)
		for _, c := range page {
			if c.matches(&q) && !c.put(out, inspectRooms) {
				return strconv.FormatUint(uint64(c.entry.Slot()), 36)
			}
		}
		if at == 0 {
			return ""
		}
	}
	return strconv.FormatUint(uint64(at), 36)
}

// listRooms is this node's page of rooms.
func (h *Hub) listRooms(q RoomQuery) (part[RoomInfo], error) {
	out := newSheet[RoomInfo](q.Limit)
	cursor, ok := h.resumesOn(q.After)
	if !ok || q.Node != "" && q.Node != h.node {
		return part[RoomInfo]{Items: out.items}, nil
	}
	add := func(r RoomInfo) bool { return out.add(r, func() RoomInfo { return r }) }
	matches := func(name string) bool { return strings.Contains(name, q.Contains) && (q.Room == "" || name == q.Room) }
	switch {
	case q.Room != "":
		if r := h.Room(q.Room); r.Members > 0 && matches(q.Room) {
			add(r)
		}
	case q.Largest:
		for _, r := range h.largest(out.limit, matches) {
			if !add(r) {
				break
			}
		}
	default:
		next, err := h.listRoomsFrom(cursor, matches, add)
		return part[RoomInfo]{Items: out.items, Next: next}, err
	}
	return part[RoomInfo]{Items: out.items}, nil
}

// listRoomsFrom adds rooms from a cursor on: the number of a part of them, and the last name that was looked at there. It
// returns the cursor of the next page.
func (h *Hub) listRoomsFrom(cursor string, matches func(string) bool, add func(RoomInfo) bool) (next string, err error) {
	shard, last := 0, ""
	if cursor != "" {
		number, name, found := strings.Cut(cursor, "/")
		if shard, err = strconv.Atoi(number); err != nil || !found || shard < 0 || shard >= rooms.Shards {
			return "", errCursor
		}
		last = name
	}
	looks := 0
	for ; shard < rooms.Shards; shard, last = shard+1, "" {
		for _, r := range h.rooms.Shard(shard) {
			if r.Name() <= last {
				continue
			}
			n := r.Len()
			if looks++; looks > inspectLooks || n > 0 && matches(r.Name()) && !add(h.roomInfo(r.Name(), n)) {
				return strconv.Itoa(shard) + "/" + last, nil
			}
			last = r.Name()
		}
	}
	return "", nil
}
