package hub

import (
	"context"
	"slices"
	"sync"
)

// OnLeave adds a function that is called once for every stay of a connection in a room, after the stay has ended. A
// stay ends:
//
//   - The client or Conn.Leave leaves the room.
//   - A Grant ends.
//   - RemoveFromRoom takes the connection out.
//   - A join of a room that the connection is already in takes it out.
//   - The connection ends. Then f is called for each room, before OnDisconnect.
//
// By then the connection receives nothing more of the room. In a room with presence, the broker has removed the member.
// Functions are called in the order in which they were added, even if one of them panics. The hub logs a panic and counts
// it in Stats.Panics, and the connection stays open.
//
// f is called in the goroutine that has ended the stay. That is the one that reads the connection (or the worker pool,
// as for OnJoin), the caller of Conn.Leave or Conn.Join, or one of the hub's. For one client's requests the order
// holds: f has returned before OnJoin is asked about a later join. If the application ends a stay while the client
// joins again, OnJoin may be asked before f is called. If something else is ending a stay when the connection ends, the
// call may come after OnDisconnect. A function that blocks delays its goroutine, and at the end of a connection
// Shutdown.
func (h *Hub) OnLeave(f func(ctx context.Context, c *Conn, room string)) {
	if f == nil {
		h.nilHook("OnLeave")
		return
	}
	h.handlers.change(func(s *callbacks) { s.leave = append(slices.Clip(s.leave), f) })
}

// OnRoomUsed adds a function that is called when a room gets its first member on this node; see OnRoomEmpty.
func (h *Hub) OnRoomUsed(f func(ctx context.Context, room string)) {
	if f == nil {
		h.nilHook("OnRoomUsed")
		return
	}
	h.handlers.change(func(s *callbacks) { s.roomUsed = append(slices.Clip(s.roomUsed), f) })
}

// OnRoomEmpty adds a function that is called when a room loses its last member on this node. Functions of both kinds
// are called in a goroutine of the hub, soon after the answer to the join or the leave. For one room
// the calls come one at a time and alternate, beginning with OnRoomUsed. The last call states the final state. If a
// room is used again before OnRoomEmpty was called, neither is called. A function that blocks delays the calls for its
// own room, and Shutdown. A panic is logged and counted in Stats.Panics. ctx ends with the hub.
//
// Add both kinds before the first connection comes. For a room that had members before, the calls begin with its next
// join or leave. They concern this node alone: see OnClusterRoomUsed.
func (h *Hub) OnRoomEmpty(f func(ctx context.Context, room string)) {
	if f == nil {
		h.nilHook("OnRoomEmpty")
		return
	}
	h.handlers.change(func(s *callbacks) { s.roomEmpty = append(slices.Clip(s.roomEmpty), f) })
}

func (s *callbacks) watchesRooms() bool {
	return s.leave != nil || s.watchesUse() || s.watchesClusterUse()
}
func (s *callbacks) watchesUse() bool { return s.roomUsed != nil || s.roomEmpty != nil }

// hasLeft tells the application of the end of a stay.
func (c *Conn) hasLeft(room string) {
	set := c.hub.handlers.set.Load()
	if !set.watchesRooms() {
		return
	}
	c.hub.roomChanged(room)
	inTurnAll(c.leaveCalls(set, room))
}

func (c *Conn) leaveCalls(set *callbacks, room string) (calls []func()) {
	for _, f := range set.leave {
		calls = append(calls, func() {
			c.guard("OnLeave", func() error {
				f(c.Context(), c, room)
				return nil
			})
		})
	}
	return calls
}

// occupancy is what the application knows of which rooms are used. When a room may have changed, it compares the room
// with that, instead of following each change. So calls are in order although joins and leaves are not, and a change
// that is reverted causes no call.
type occupancy struct {
	hub   *Hub
	tell  func(room string, used, owed bool) // calls the application
	mu    sync.Mutex                         // taken before the locks of rooms
	rooms map[string]*occupied
}

// occupied is a room that the application believes to be used, or is being told about.
type occupied struct {
	used    bool
	telling bool   // a goroutine is telling, and looks again before it ends
	owed    []bool // what else the application is to be told: used or not
}

// roomChanged is called with no lock held after a connection may have become a member of a room, or may have ceased to be one.
func (h *Hub) roomChanged(room string) {
	set := h.handlers.set.Load()
	if set.watchesUse() {
		h.occupancy.changed(room)
	}
	if set.watchesClusterUse() && h.rule(room).Presence {
		h.cluster.changed(room)
	}
}

func (x *occupancy) changed(room string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if o := x.find(room); !o.telling && x.differs(room, o) {
		x.begin(room, o)
	}
}

// owe makes the application be told of a change that does not come from this node's members.
func (x *occupancy) owe(room string, used bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	o := x.find(room)
	o.owed = append(o.owed, used)
	if !o.telling {
		x.begin(room, o)
	}
}

// find returns a room, or a new one. It is called with mu held.
func (x *occupancy) find(room string) *occupied {
	if o := x.rooms[room]; o != nil {
		return o
	}
	return &occupied{}
}

// begin starts to tell of a room. It is called with mu held.
func (x *occupancy) begin(room string, o *occupied) {
	if x.rooms == nil {
		x.rooms = make(map[string]*occupied)
	}
	x.rooms[room] = o
	o.telling = true
	x.hub.life.Run(func() { x.tellAll(room, o) })
}

// differs reports whether the application's knowledge is out of date. While a connection joins again it is no member
// for a moment, but holds the room. It is called with mu held.
func (x *occupancy) differs(room string, o *occupied) bool {
	if o.used {
		return !x.hub.rooms.Held(room)
	}
	r := x.hub.rooms.Find(room)
	return r != nil && r.Len() > 0
}

// tellAll tells the application until its knowledge is up to date. If a function ends the goroutine, another one goes
// on.
func (x *occupancy) tellAll(room string, o *occupied) {
	known := false
	defer func() {
		if !known {
			x.hub.life.Run(func() { x.tellAll(room, o) })
		}
	}()
	for {
		used, owed, ok := x.next(room, o)
		if !ok {
			break
		}
		x.tell(room, used, owed)
	}
	known = true
}

// next notes what the application is told next. It reports false if there is nothing to tell.
func (x *occupancy) next(room string, o *occupied) (used, owed, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.differs(room, o):
		o.used = !o.used
		return o.used, false, true
	case len(o.owed) > 0:
		used, o.owed = o.owed[0], o.owed[1:]
		return used, true, true
	}
	o.telling = false
	if !o.used {
		delete(x.rooms, room)
	}
	return false, false, false
}

// tellUse tells the application of a room on this node.
func (h *Hub) tellUse(room string, used, _ bool) {
	set := h.handlers.set.Load()
	if used {
		h.callAbout("OnRoomUsed", set.roomUsed, room)
	} else {
		h.callAbout("OnRoomEmpty", set.roomEmpty, room)
	}
}

func (h *Hub) callAbout(what string, hooks []func(context.Context, string), room string) {
	calls := make([]func(), len(hooks))
	for i, f := range hooks {
		calls[i] = func() {
			h.guard(what, nil, func() error {
				f(h.ctx, room)
				return nil
			})
		}
	}
	inTurnAll(calls)
}
