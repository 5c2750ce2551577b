package rooms

import (
	"context"
	"sync"
)

// subscription is how the node stands to a room at the broker. One goroutine at a time changes it, without the lock while the
// broker works; others wait for that.
type subscription struct {
	mu     sync.Mutex
	active bool
	asked  bool          // the broker was asked to subscribe; if that failed it may do so later all the same
	change chan struct{} // closed when the change under way is over; nil without one
}

// begin is called with mu held.
func (s *subscription) begin() { s.change = make(chan struct{}) }

// end ends what begin began. It is called with mu held.
func (s *subscription) end(active bool) {
	s.active = active
	close(s.change)
	s.change = nil
}

// subscribe returns when the node is subscribed to the room: the first who comes sees to it, others wait for that. Before it
// waits it calls wait, unless that is nil. The caller holds the room.
func (n *Node) subscribe(ctx context.Context, r *Room, wait func()) error {
	s := &r.subscription
	for {
		s.mu.Lock()
		if s.active {
			s.mu.Unlock()
			return nil
		}
		change := s.change
		if change == nil {
			s.begin()
			s.asked = true
		}
		s.mu.Unlock()
		if wait != nil {
			wait()
		}
		if change == nil {
			return n.ask(ctx, r)
		}
		select {
		case <-change:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ask has the broker subscribe. Those who wait are let go even if it panics.
func (n *Node) ask(ctx context.Context, r *Room) (err error) {
	active := false
	defer func() {
		s := &r.subscription
		s.mu.Lock()
		defer s.mu.Unlock()
		s.end(active)
	}()
	if n.positions != nil && r.hasHistory() { // which is read next
		err = n.positions.SubscribeAt(ctx, r.name, r.rule.Retention)
	} else {
		err = n.conf.Broker.Subscribe(ctx, r.name)
	}
	active = err == nil
	return err
}

// claim takes the right to unsubscribe from a room that nobody uses. Whoever comes after it waits for unsubscribed. A room
// that needs no unsubscribing is forgotten at once.
//
// The room's subscription is locked while its users are counted: who has found it active was counted before.
func (n *Node) claim(r *Room) bool {
	s := &r.subscription
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.change != nil || !n.index.unused(r, !s.asked) || !s.asked {
		return false
	}
	s.active, s.asked = false, false
	s.begin()
	if r.hasHistory() {
		// Whatever happens to the history until somebody subscribes anew, nobody will tell.
		r.epoch.Store(nil)
		r.Restart(0)
	}
	return true
}

// unsubscribed ends what claim began, and forgets the room unless somebody has come meanwhile, who subscribes anew.
func (n *Node) unsubscribed(r *Room) {
	s := &r.subscription
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(false)
	n.index.unused(r, true)
}
