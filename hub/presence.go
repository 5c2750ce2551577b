package hub

import (
	"context"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/presence"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// Presence tells who is in a room, on all nodes: how many there are, and up to limit of them; zero lists all. It blocks
// while the broker is asked, for as long as ctx allows. The error matches ErrNoPresence if the room's rule does not enable
// presence, or is the broker's.
func (h *Hub) Presence(ctx context.Context, room string, limit int) (protocol.Presence, error) {
	if h.presence == nil || !h.rule(room).Presence {
		return protocol.Presence{}, ErrNoPresence
	}
	return h.presence.List(ctx, room, limit)
}

// checkRoom is what a client hears of a bad room name; nil for a good one.
func checkRoom(room string) *Error {
	if err := broker.CheckRoom(room); err != nil {
		return &Error{Code: protocol.CodeBadRoom, Message: err.Error()}
	}
	return nil
}

// sendAnswer sends what all are answered, behind a head with the request's id.
func (v *v1Client) sendAnswer(id uint64, room string, a *presence.Answer) {
	c := (*Conn)(v)
	buf := scratch.Get().(*[]byte) //nolint:forcetypeassert // the pool's only type
	defer scratch.Put(buf)
	var header [frame.MaxHeader]byte
	*buf = protocol.AppendOKHead(append((*buf)[:0], header[:]...), protocol.OK{ID: id, Room: room})
	h := frame.AppendHead(header[:0], frame.Text, len(*buf)-len(header)+a.Data.Size())
	head := (*buf)[len(header)-len(h):]
	copy(head, h)
	_ = c.writer.SendAnswer(head, a.Data) // if the connection is gone nobody needs to hear of it
}
