package hub

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/presence"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
)

// room is a room with members on this node, and the node's subscription to it.
type room struct {
	fanout.Room
	name string
	rule *rule
	// attendance is nil in a room without presence.
	attendance *presence.Attendance

	// epoch of the last message delivered here, in a room with history.
	epoch atomic.Pointer[epoch]

	refs int // members, and joins under way; guarded by the index's shard

	mu         sync.Mutex
	subscribed bool
	wanted     bool          // the broker was asked to subscribe; where that failed it may do so later all the same
	busy       chan struct{} // closed when the subscribing or unsubscribing under way is over; nil without one
}

// epoch is the name that the history has had since a run of the room; see fanout.Mark.
type epoch struct {
	name  string
	since uint64
}

// noteEpoch is called for every message, and finds the epoch unchanged as a rule. The epoch begins with the run that
// is ahead of the present one by so many.
func (r *room) noteEpoch(name string, ahead uint64) {
	if e := r.epoch.Load(); e == nil || e.name != name {
		r.epoch.Store(&epoch{name, r.Run() + ahead})
	}
}

// knows reports whether the room here is in the epoch that the history is in, as far as it can tell.
func (r *room) knows(name string) bool {
	e := r.epoch.Load()
	return e == nil || e.name == name
}

// pastEpoch is the name of no epoch, so that whoever reads on from there is told of a gap.
const pastEpoch = "past"

// position is the place in the history that a mark stands for.
func (r *room) position(m fanout.Mark) broker.Position {
	if e := r.epoch.Load(); e != nil && m.Run() >= e.since {
		return broker.Position{Epoch: e.name, Offset: m.Offset()}
	}
	return broker.Position{Epoch: pastEpoch, Offset: m.Offset()}
}

// shards is how many locks the rooms share.
const shards = 64

var seed = maphash.MakeSeed()

func shard(name string) int { return int(maphash.String(seed, name) % shards) }

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
		r.Init(x.hub.sched, r.rule.source())
		if r.rule.presence {
			r.attendance = x.hub.presence.Attend(name, r, r.rule.changes)
		}
		s.rooms[name] = r
	}
	if r.refs++; r.refs == 1 {
		x.hub.memory.add(r.bytes())
	}
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
		x.hub.memory.add(-r.bytes())
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

// all returns the rooms of this moment.
func (x *index) all() (all []*room) {
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
			r.busy, r.wanted = make(chan struct{}), true
			r.mu.Unlock()
			err := h.broker.Subscribe(ctx, r.name)
			r.mu.Lock()
			r.settle(err == nil)
			r.mu.Unlock()
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

// claim takes the right to unsubscribe from a room that nobody uses. Whoever comes after it waits for retire. A room
// that needs no unsubscribing is forgotten at once.
//
// The room is locked while its users are counted: who has found it subscribed was counted before.
func (r *room) claim(x *index) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy != nil || !x.unused(r, !r.wanted) || !r.wanted {
		return false
	}
	r.subscribed, r.wanted = false, false
	r.busy = make(chan struct{})
	if r.rule.retention.Enabled() {
		// Whatever happens to the history until somebody subscribes anew, nobody will tell.
		r.epoch.Store(nil)
		r.Restart(0)
	}
	return true
}

// retire ends what claim began, and forgets the room unless somebody has come meanwhile, who subscribes anew.
func (r *room) retire(x *index) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(false)
	x.unused(r, true)
}

// settle ends what subscribe or claim began. It is called with mu held.
func (r *room) settle(subscribed bool) {
	r.subscribed = subscribed
	close(r.busy)
	r.busy = nil
}
