package hub

import (
	"context"
	"slices"

	"github.com/gohubkit/hubkit/protocol"
)

// removeFrom takes a room away from the connection, and reports whether it was in it. A client of protocol v1 is told why
// with a left frame, behind the last message of the room. It blocks while the broker is told, in rooms with presence. While the
// connection is joining the room, nothing happens.
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
	c.send(func(dst []byte) []byte { return protocol.AppendLeft(dst, room, why) })
}

// barred is a room that was taken away while somebody who had looked before might still have put the connection into it.
type barred struct {
	room string
	why  *Error
}

// revoke begins to take a room away from the connection, whether it is in the room, joins it, or is about to because a callback
// or JoinUser has begun that may have looked before. It does not block. finish is as that of rooms.Node.Remove.
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

// mayJoin reports whether somebody may be about to put the connection into a room without having looked again.
func (c *Conn) mayJoin(room string) bool {
	if c.handling.Load() != atRest || !c.state.has(accepted) || c.rooms.Joining(room) || c.hub.working(c) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extra != nil && c.extra.giving > 0
}

// bar has joins of a room that have begun already fail.
func (c *Conn) bar(room string, why *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more()
	m.barred = append(slices.DeleteFunc(m.barred, func(b barred) bool { return b.room == room }), barred{room, why})
	c.marks.set(barredMark)
}

// unbar lets a join of a room begin that is decided now.
func (c *Conn) unbar(room string) {
	if c.marks.has(barredMark) && !c.rooms.Joining(room) { // else it is still the other join's end
		c.forget(func(b barred) bool { return b.room == room })
	}
}

// unbarAll is called before a callback that will look itself.
func (c *Conn) unbarAll() {
	if !c.marks.has(barredMark) {
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
		c.marks.clear(barredMark)
	}
	c.trim()
}

// Barred implements rooms.Member.
func (m *member) Barred(room string) error {
	if !m.marks.has(barredMark) {
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
