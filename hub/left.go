package hub

import (
	"context"
	"slices"

	"github.com/gohubkit/hubkit/internal/core/codec"
)

// removeFrom takes a room away from the connection, and reports whether it was in it. A client of protocol v1 is told
// why with a left frame, behind the last message of the room. In a room with presence removeFrom blocks while the
// broker is told. While the connection is joining the room, nothing happens.
func (c *Conn) removeFrom(ctx context.Context, room string, why *Error) (was bool, err error) {
	finish := c.hub.rooms.Remove((*member)(c), room)
	if finish == nil {
		return false, nil
	}
	return true, finish(ctx, func() { c.tellLeft(room, why) })
}

// tellLeft tells a client of protocol v1 that it is no longer in a room.
func (c *Conn) tellLeft(room string, why *Error) {
	if c.kind == raw {
		return
	}
	c.send(func(dst []byte, x codec.Codec) []byte { return x.Left(dst, room, why) })
	c.returnsFor(why)
}

// barred is a room that was taken away while a join that was decided before might still be under way.
type barred struct {
	room string
	why  *Error
}

// revoke begins to take a room away from the connection. It covers a connection that is in the room, that is joining
// it, and one that may join it because a callback or JoinUser began before. It does not block. finish is as that of
// rooms.Node.Remove.
func (c *Conn) revoke(room string, why *Error) (finish func(ctx context.Context, parted func()) error) {
	if c.mayJoin(room) { // before Remove looks
		c.bar(room, why)
	}
	o := (*grantee)(c)
	g := o.held(room)
	remove := c.hub.rooms.Remove((*member)(c), room)
	if remove == nil {
		return nil
	}
	return func(ctx context.Context, parted func()) error {
		defer o.drop(g)
		return remove(ctx, parted)
	}
}

// mayJoin reports whether code that has not looked again may be about to put the connection into a room.
func (c *Conn) mayJoin(room string) bool {
	if c.state.handling() != atRest || !c.state.has(accepted) || c.rooms.Joining(room) || c.hub.working(c) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extra != nil && c.extra.giving > 0
}

// bar makes joins of a room fail that have begun already.
func (c *Conn) bar(room string, why *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more()
	m.barred = append(slices.DeleteFunc(m.barred, func(b barred) bool { return b.room == room }), barred{room, why})
	c.state.set(barredMark)
}

// unbar allows a join of a room that is decided after the call.
func (c *Conn) unbar(room string) {
	if c.state.has(barredMark) && !c.rooms.Joining(room) { // else it is still the other join's end
		c.forget(func(b barred) bool { return b.room == room })
	}
}

// unbarAll is called before a callback, which then decides anew.
func (c *Conn) unbarAll() {
	if !c.state.has(barredMark) {
		return
	}
	joining := c.rooms.AllJoining()
	c.forget(func(b barred) bool { return !slices.Contains(joining, b.room) })
}

func (c *Conn) forget(which func(barred) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra == nil {
		return
	}
	if c.extra.barred = slices.DeleteFunc(c.extra.barred, which); len(c.extra.barred) == 0 {
		c.extra.barred = nil
		c.state.clear(barredMark)
	}
	c.trim()
}

// Barred implements rooms.Member.
func (m *member) Barred(room string) error {
	if !m.state.has(barredMark) {
		return nil
	}
	c := (*Conn)(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra != nil {
		for _, b := range c.extra.barred {
			if b.room == room {
				return &removedError{b.why}
			}
		}
	}
	return nil
}

// removedError is an ErrRemoved that the client is told as it is.
type removedError struct{ why *Error }

func (e *removedError) Error() string   { return ErrRemoved.Error() + ": " + e.why.Message }
func (e *removedError) Unwrap() []error { return []error{ErrRemoved, e.why} }
