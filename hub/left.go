package hub

import (
	"context"

	"github.com/gohubkit/hubkit/protocol"
)

// removeFrom takes a room away from the connection, and reports whether it was in it. A client of protocol v1 is told why
// with a left frame, behind the last message of the room. It blocks while the broker is told, in rooms with presence. While the
// connection is joining the room, nothing happens.
func (c *Conn) removeFrom(ctx context.Context, room string, why *Error) (was bool, err error) {
	return c.hub.rooms.Remove(ctx, (*member)(c), room, func() { c.tellLeft(room, why) })
}

// tellLeft tells a client of protocol v1 that it is no longer in a room.
func (c *Conn) tellLeft(room string, why *Error) {
	if c.kind == raw {
		return
	}
	c.send(func(dst []byte) []byte { return protocol.AppendLeft(dst, room, why) })
}
