package client

import (
	"sync"
	"sync/atomic"

	"github.com/gohubkit/hubkit/protocol"
)

// grants says in which rooms the client may only read, as far as the server of this connection has said so.
type grants struct {
	some  atomic.Bool // or every publication would look a room up
	mu    sync.Mutex
	rooms map[string]struct{}
}

func (g *grants) readOnly(room string) bool {
	if !g.some.Load() {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.rooms[room]
	return ok
}

func (g *grants) set(room string, readOnly bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !readOnly:
		delete(g.rooms, room)
	case g.rooms == nil:
		g.rooms = map[string]struct{}{room: {}}
	default:
		g.rooms[room] = struct{}{}
	}
	g.some.Store(len(g.rooms) > 0)
}

func (g *grants) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.rooms)
	g.some.Store(false)
}

// grant notes until when the client may be in a room, and whether only to read.
func (l *connection) grant(s *Subscription, ev *protocol.Event) {
	if l.expires(s.room, ev.Expires); ev.ReadOnly || l.c.grants.some.Load() {
		l.c.grants.set(s.room, ev.ReadOnly)
	}
}

// left handles the frame that ends the client's stay in a room. One that comes before the answer to a join is about the
// stay before.
func (l *connection) left(ev *protocol.Event) bool {
	s, _ := l.room(ev.Room)
	if s == nil || !s.joined && (!s.given || s.asked != l) {
		return true
	}
	e := &protocol.Error{Code: protocol.ErrorCode(ev.Code), Message: string(ev.Message), RetryAfter: ev.RetryAfter}
	if s.given || e.Code != protocol.CodeUnavailable || e.RetryAfter == 0 {
		return l.expelled(s, e)
	}
	s.joined = false
	l.ungrant(s.room)
	l.retryJoin(s, e.RetryAfter)
	l.c.config.log.Warn("hubkit client was taken out of a room for now", "room", s.room, "error", e)
	return true
}

// expelled ends the subscription of a room that the client is not in any more.
func (l *connection) expelled(s *Subscription, why *protocol.Error) bool {
	s.joined = false
	l.ungrant(s.room)
	c := l.c
	c.mu.Lock()
	ended := !c.has(s)
	if !ended {
		c.forget(s)
		c.joinCrowded()
	}
	c.mu.Unlock()
	if ended {
		return true
	}
	err := &LeftError{Room: s.room, Code: why.Code, Message: why.Message}
	c.config.log.Warn("hubkit client was taken out of a room", "room", s.room, "code", string(why.Code), "error", err)
	return l.post(event{call: func() { s.lose(err) }})
}

func (l *connection) ungrant(room string) {
	l.mu.Lock()
	delete(l.tokens.renewals, room)
	l.mu.Unlock()
	if l.c.grants.some.Load() {
		l.c.grants.set(room, false)
	}
}
