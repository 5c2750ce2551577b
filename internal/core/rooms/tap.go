package rooms

import (
	"context"
	"slices"

	"github.com/gohubkit/hubkit/broker"
)

// tap is told of a room's messages, and is no member.
type tap struct{ f func(m *broker.Message) }

// taps are those of a room; never changed.
type taps []*tap

// tell is called for each message in the room's order. It may be called of nil.
func (ts *taps) tell(m *broker.Message) {
	if ts == nil {
		return
	}
	for _, t := range *ts {
		t.f(m)
	}
}

// Tap calls f with each message that comes to a room from now on, until stop is called. f must not block, and must not keep the
// message or its data. A call may be under way when stop returns. Tap blocks until the broker has subscribed. The error is
// broker.ErrRoomName, the broker's or that of ctx.
func (n *Node) Tap(ctx context.Context, name string, f func(m *broker.Message)) (stop func(), err error) {
	if err := broker.CheckRoom(name); err != nil {
		return nil, err
	}
	t := &tap{f}
	r, first := n.index.tap(name, t, func() *Room { return n.newRoom(name) })
	if first {
		n.conf.Held(r.bytes())
	}
	stop = func() {
		if n.index.untap(r, t) {
			n.conf.Held(-r.bytes())
			n.janitor.add(r)
		}
	}
	in := false
	defer func() { // even if the broker panics
		if !in {
			stop()
		}
	}()
	if err := n.subscribe(ctx, r, nil); err != nil {
		return nil, err
	}
	in = true
	return stop, nil
}

// tap is acquire for a tap, in one step: Held does not take it for a member.
func (x *index) tap(name string, t *tap, create func() *Room) (r *Room, first bool) {
	s := x.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	r = s.hold(name, create)
	now := append(slices.Clone(r.tapped()), t)
	r.taps.Store(&now)
	return r, r.refs == 1
}

// untap is release for a tap.
func (x *index) untap(r *Room, t *tap) (last bool) {
	s := x.shard(r.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := slices.DeleteFunc(slices.Clone(r.tapped()), func(o *tap) bool { return o == t }); len(now) > 0 {
		r.taps.Store(&now)
	} else {
		r.taps.Store(nil)
	}
	r.refs--
	return r.refs == 0
}

// tapped are the taps of a room. It is called with its shard locked.
func (r *Room) tapped() taps {
	if ts := r.taps.Load(); ts != nil {
		return *ts
	}
	return nil
}
