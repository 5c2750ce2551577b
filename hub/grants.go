package hub

import (
	"context"
	"errors"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// Grant bounds a client's right to be in a room; see OnJoinGrant. The zero Grant has no bounds.
type Grant struct {
	// ExpiresAt is when the right ends; zero for never. If the hub has a token verifier, it asks the client for a new
	// token before that. At most one second after ExpiresAt the hub takes the client out of the room, and tells it.
	// Setting the clock later changes nothing.
	ExpiresAt time.Time
	// ReadOnly refuses what the client publishes in the room while it is there, without asking OnPublish. If the client
	// is not in the room, OnPublish decides.
	ReadOnly bool
}

// narrowest returns what both grants allow; nil has no bounds.
func narrowest(g Grant, other *Grant) Grant {
	if other == nil {
		return g
	}
	if at := other.ExpiresAt; !at.IsZero() && (g.ExpiresAt.IsZero() || at.Before(g.ExpiresAt)) {
		g.ExpiresAt = at
	}
	g.ReadOnly = g.ReadOnly || other.ReadOnly
	return g
}

// unbounded reports whether a grant has no bounds, and over whether its end has come. g may be nil in both.
func (g *Grant) unbounded() bool { return g == nil || *g == Grant{} }
func (g *Grant) over() bool      { return g != nil && expired(g.ExpiresAt) }

// grant is a Grant that a connection holds. When the client joins again or renews it, another one replaces it.
type grant struct {
	room  string
	given Grant
	over  bool // its end has come; guarded by mu of the Conn
}

var errGrantOver = &Error{Code: protocol.CodeExpired, Message: "the right to be in the room has expired"}

// hold makes the connection hold a grant of a room, before it joins. It returns that grant and the one before; either
// is nil if it has no bounds. The grant ends only after arm.
func (o *grantee) hold(room string, given *Grant) (now, before *grant) {
	if given.unbounded() && !o.state.has(boundMark) {
		return nil, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !given.unbounded() {
		now = &grant{room: room, given: *given}
	}
	return now, o.put(room, now)
}

// put is called with mu held.
func (o *grantee) put(room string, g *grant) (before *grant) {
	m := (*Conn)(o).more()
	before = m.grants[room]
	switch {
	case g != nil && m.grants == nil:
		o.state.set(boundMark)
		m.grants = map[string]*grant{room: g}
	case g != nil:
		m.grants[room] = g
	default:
		if delete(m.grants, room); len(m.grants) == 0 {
			m.grants = nil
		}
		(*Conn)(o).trim()
	}
	return before
}

// arm schedules the end of a grant of a room in which the connection is, in place of the grant before.
func (o *grantee) arm(room string, now, before *grant) {
	if now == nil && before == nil {
		return
	}
	o.mu.Lock()
	o.put(room, now) // a Leave under way may have taken it for the one before
	o.mu.Unlock()
	o.disarm(before)
	if now.ends() {
		o.hub.setEnd(right{(*Conn)(o), now}, now.given.ExpiresAt)
	}
}

func (g *grant) ends() bool { return g != nil && !g.given.ExpiresAt.IsZero() }

func (o *grantee) disarm(g *grant) {
	if g.ends() {
		o.hub.rights.Remove(right{(*Conn)(o), g})
	}
}

// held returns the grant of a room; nil if it has no bounds.
func (o *grantee) held(room string) *grant {
	if !o.state.has(boundMark) {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.extra == nil {
		return nil
	}
	return o.extra.grants[room]
}

// drop ends what hold began, if the grant is still held.
func (o *grantee) drop(g *grant) {
	if g == nil {
		return
	}
	o.mu.Lock()
	if o.extra != nil && o.extra.grants[g.room] == g {
		o.put(g.room, nil)
	}
	o.mu.Unlock()
	o.disarm(g)
}

// exchange replaces a grant by another. It reports false if the old one is over or is no longer held.
func (o *grantee) exchange(old *grant, given *Grant) (now *grant, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.extra == nil || o.extra.grants[old.room] != old || old.over {
		return nil, false
	}
	if !given.unbounded() {
		now = &grant{room: old.room, given: *given}
	}
	o.put(old.room, now)
	o.disarm(old)
	if now.ends() {
		o.hub.setEnd(right{(*Conn)(o), now}, now.given.ExpiresAt)
	}
	return now, true
}

// grantEnds takes the connection out of a room whose grant has ended. It blocks while the broker is told.
func (o *grantee) grantEnds(g *grant) {
	o.mu.Lock()
	holds := o.extra != nil && o.extra.grants[g.room] == g
	g.over = true
	o.mu.Unlock()
	if !holds { // the connection has left the room, or holds another grant
		return
	}
	ctx, cancel := context.WithTimeout(o.hub.ctx, requestTimeout/2) // Leave may take as long again
	defer cancel()
	was, err := (*Conn)(o).removeFrom(ctx, g.room, errGrantOver)
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		o.hub.log.Warn("telling the broker that a connection has left a room failed", "conn", (*Conn)(o).ID(), "room", g.room, "err", err)
	case !was && o.rooms.Joining(g.room):
		o.hub.setEnd(right{(*Conn)(o), g}, g.given.ExpiresAt) // with the next tick
		return
	}
	o.drop(g)
	if was {
		(*Conn)(o).hasLeft(g.room)
	}
}

// validFor is how long a grant is valid; zero for ever.
func (g *grant) validFor() time.Duration {
	if !g.ends() {
		return 0
	}
	return max(time.Until(g.given.ExpiresAt), time.Millisecond)
}

// readOnly reports whether the client may not publish in the room.
func (g *grant) readOnly() bool { return g != nil && g.given.ReadOnly }
