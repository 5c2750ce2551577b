package hub

import (
	"context"
	"sync"

	"github.com/gohubkit/hubkit/internal/fanout"
)

// room is a room with members on this node, and the node's subscription to it.
type room struct {
	fanout.Room
	name string
	rule *rule

	refs int // members, and joins under way; guarded by the index's shard

	mu         sync.Mutex
	subscribed bool
	busy       chan struct{} // closed when the subscribing or unsubscribing under way is over; nil without one
}

// index finds the rooms of this node.
type index struct {
	hub    *Hub
	shards [shards]struct {
		mu    sync.RWMutex
		rooms map[string]*room
	}
	empty janitor
}

func (x *index) init(h *Hub) {
	x.hub = h
	for i := range x.shards {
		x.shards[i].rooms = make(map[string]*room)
	}
	x.empty.init(h)
}

func (x *index) close() { x.empty.close() }

// find returns a room that has members, or nil.
func (x *index) find(name string) *room {
	s := &x.shards[shard(name)]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rooms[name]
}

// acquire returns a room and keeps it from going away until release.
func (x *index) acquire(name string) *room {
	s := &x.shards[shard(name)]
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[name]
	if r == nil {
		r = &room{name: name, rule: x.hub.rule(name)}
		r.Init(x.hub.sched)
		s.rooms[name] = r
	}
	r.refs++
	return r
}

// release is the end of what acquire began. The last one leaves the room to the janitor.
func (x *index) release(r *room) {
	s := &x.shards[shard(r.name)]
	s.mu.Lock()
	r.refs--
	last := r.refs == 0
	s.mu.Unlock()
	if last {
		x.empty.add(r)
	}
}

// unused reports whether nobody holds the room, and if forget is set, takes it out of the index then.
func (x *index) unused(r *room, forget bool) bool {
	s := &x.shards[shard(r.name)]
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

// subscribe returns when the node is subscribed to the room: the first who comes sees to it, others wait for
// that.
func (r *room) subscribe(ctx context.Context, h *Hub) error {
	for {
		r.mu.Lock()
		if r.subscribed {
			r.mu.Unlock()
			return nil
		}
		busy := r.busy
		if busy == nil {
			r.busy = make(chan struct{})
			r.mu.Unlock()
			err := h.broker.Subscribe(ctx, r.name)
			r.settle(err == nil)
			return err
		}
		r.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// claim takes the right to unsubscribe. It fails where that is under way or not needed.
func (r *room) claim() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.subscribed || r.busy != nil {
		return false
	}
	r.subscribed = false
	r.busy = make(chan struct{})
	return true
}

// settle ends what subscribe or claim began.
func (r *room) settle(subscribed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subscribed = subscribed
	close(r.busy)
	r.busy = nil
}
