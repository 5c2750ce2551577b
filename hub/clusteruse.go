package hub

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// OnClusterRoomUsed adds a function that is called when a room with presence gets its first member on any node. See
// OnClusterRoomEmpty for the node, the goroutine and the guarantee.
func (h *Hub) OnClusterRoomUsed(f func(ctx context.Context, room string)) {
	if f == nil {
		h.nilHook("OnClusterRoomUsed")
		return
	}
	h.handlers.change(func(s *callbacks) { s.clusterUsed = append(slices.Clip(s.clusterUsed), f) })
	h.tender.begin()
}

// OnClusterRoomEmpty adds a function that is called when a room with presence loses its last member on all nodes. The
// broker decides. It reports each such change to one node, which calls its functions: the node of the first member, or
// of the last.
//
// If a node dies, another node checks whether its rooms still have members. That takes the presence TTL of the broker (60 s
// by default with Redis) and the time until that node next refreshes its own entry. A room without members elsewhere is
// empty then. If a room has members, but the node that called OnClusterRoomUsed is gone, another node calls
// OnClusterRoomUsed again.
//
// While a node lives, the hub reports each change at least once. OnClusterRoomUsed may be called again without
// OnClusterRoomEmpty in between, and OnClusterRoomEmpty likewise. That also happens if the broker has lost its data, or
// was cut off from a node for longer than the TTL. A call is lost if the node that was to make it dies, unless the room
// has members: then another node makes it. Calls about a dead node's rooms are also lost if the connection to the
// broker breaks while it reports them. If all nodes die at once, no node calls OnClusterRoomEmpty.
//
// The goroutine is that of OnRoomUsed, but it waits for the broker before the call, for as long as the broker is
// unreachable. On one node, calls for a room come one at a time. On two nodes they may overlap and be late: to learn
// the present state, call Presence. Add the functions on every node of the cluster, before the first connection comes.
//
// A room costs one more request to the broker when it gets its first member on a node, and one when it loses its last
// member there. If the broker does not implement broker.Occupancy, the functions are not called, and the hub logs an
// error.
func (h *Hub) OnClusterRoomEmpty(f func(ctx context.Context, room string)) {
	if f == nil {
		h.nilHook("OnClusterRoomEmpty")
		return
	}
	h.handlers.change(func(s *callbacks) { s.clusterEmpty = append(slices.Clip(s.clusterEmpty), f) })
	h.tender.begin()
}

func (s *callbacks) watchesClusterUse() bool { return s.clusterUsed != nil || s.clusterEmpty != nil }

// tellClusterUse tells the broker that a room is used or empty on this node. It tells the application if that holds for
// all nodes. owed is set if the broker itself reported the change.
func (h *Hub) tellClusterUse(room string, used, owed bool) {
	if !owed && !h.tender.settle(room, used) {
		return
	}
	set := h.handlers.set.Load()
	if used {
		h.callAbout("OnClusterRoomUsed", set.clusterUsed, room)
	} else {
		h.callAbout("OnClusterRoomEmpty", set.clusterEmpty, room)
	}
}

// tender keeps the broker's Occupancy of this node.
type tender struct {
	hub  *Hub
	wake chan struct{} // the broker may have forgotten this node

	mu     sync.Mutex
	broker broker.Occupancy // nil before the first hook
	cancel context.CancelFunc
	done   chan struct{}
}

const tendRetry = time.Second

// begin makes the hub take part, unless it does already.
func (t *tender) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broker != nil || t.hub.life.Closed() {
		return
	}
	b, ok := t.hub.broker.(broker.Occupancy)
	if !ok {
		t.hub.log.Error("OnClusterRoomUsed and OnClusterRoomEmpty are not called: the broker does not implement broker.Occupancy")
		return
	}
	ctx, cancel := context.WithCancel(t.hub.ctx)
	t.broker, t.cancel, t.done = b, cancel, make(chan struct{})
	go t.run(ctx)
}

// close ends the goroutine and returns when it is gone.
func (t *tender) close() {
	t.mu.Lock()
	cancel, done := t.cancel, t.done
	t.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

func (t *tender) run(ctx context.Context) {
	defer close(t.done)
	defer func() {
		if v := recover(); v != nil {
			t.hub.life.Hub.Crashed(v)
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-t.wake:
		}
		timer.Reset(t.tend(ctx))
	}
}

func (t *tender) tend(ctx context.Context) (again time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	o, err := t.broker.Tend(ctx)
	for _, room := range o.Used {
		t.hub.cluster.owe(room, true)
	}
	for _, room := range o.Empty {
		t.hub.cluster.owe(room, false)
	}
	if err != nil {
		return tendRetry
	}
	return o.Again
}

// settle tells the broker of a room until the broker knows. It reports whether to tell the application.
func (t *tender) settle(room string, used bool) bool {
	t.mu.Lock()
	b := t.broker
	t.mu.Unlock()
	if b == nil {
		return false
	}
	ask := b.Vacate
	if used {
		ask = b.Occupy
	}
	for {
		ctx, cancel := context.WithTimeout(t.hub.ctx, requestTimeout)
		tell, err := ask(ctx, room)
		cancel()
		if err == nil {
			return tell
		}
		if errors.Is(err, broker.ErrClosed) || !t.hub.life.Serving() { // others are told when this node's entry expires
			return false
		}
		select {
		case t.wake <- struct{}{}:
		default:
		}
		select {
		case <-time.After(tendRetry):
		case <-t.hub.ctx.Done():
			return false
		}
	}
}
