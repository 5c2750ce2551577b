package hub

import (
	"context"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/presence"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// Presence returns how many members a room has on all nodes, and up to limit of them. A limit of zero lists all. It
// blocks while the broker is asked, until ctx ends. The error matches ErrNoPresence if the room's rule does not enable
// presence, or is the broker's.
func (h *Hub) Presence(ctx context.Context, room string, limit int) (protocol.Presence, error) {
	if h.presence == nil || !h.rule(room).Presence {
		return protocol.Presence{}, ErrNoPresence
	}
	return h.presence.List(ctx, room, limit)
}

// checkRoom is what a client is told of a bad room name; nil for a good one.
func checkRoom(room string) *Error {
	if err := broker.CheckRoom(room); err != nil {
		return &Error{Code: protocol.CodeBadRoom, Message: err.Error()}
	}
	return nil
}

// count answers how many members a room has.
func (v *v1Client) count(ctx context.Context, id uint64, r *rooms.Room) error {
	answer, err := r.Attendance.Ask(ctx)
	if err != nil {
		return err
	}
	v.sendData(id, r.Name(), protocol.AppendPresenceCount(nil, answer.Count, answer.Users))
	return nil
}

// members answers with a page of a room's members.
func (v *v1Client) members(ctx context.Context, id uint64, r *rooms.Room, after string, limit int) error {
	if limit == 0 {
		limit = protocol.MaxPage
	}
	data, listed, err := r.Attendance.Page(ctx, after, limit)
	if err != nil {
		return err
	}
	v.chargeMembers(listed)
	v.sendData(id, r.Name(), data)
	return nil
}

// everybody answers with the first page of a room's members, which all clients that ask share.
func (v *v1Client) everybody(ctx context.Context, id uint64, r *rooms.Room) error {
	answer, err := r.Attendance.Ask(ctx)
	if err != nil {
		return err
	}
	v.chargeMembers(answer.Listed)
	v.sendAnswer(id, r.Name(), answer)
	return nil
}

func (v *v1Client) chargeMembers(n int) {
	c := (*Conn)(v)
	c.owe(n, c.hub.conf.costs.Presence)
}

func (v *v1Client) sendData(id uint64, room string, data []byte) {
	(*Conn)(v).send(func(dst []byte, x codec.Codec) []byte { return x.OK(dst, protocol.OK{ID: id, Room: room, Data: data}) })
}

// sendAnswer sends a shared answer, behind a head with the request's ID.
func (v *v1Client) sendAnswer(id uint64, room string, a *presence.Answer) {
	c := (*Conn)(v)
	buf := scratch.Get().(*[]byte) //nolint:forcetypeassert // the pool's only type
	defer scratch.Put(buf)
	var header [frame.MaxHeader]byte
	x := c.codec()
	data := a.Data(x)
	*buf = x.OKHead(append((*buf)[:0], header[:]...), protocol.OK{ID: id, Room: room}, data.Size()-len(x.Tail()))
	head := *buf
	if opcode := x.Form().Opcode(); opcode != 0 {
		h := frame.AppendHead(header[:0], opcode, len(head)-len(header)+data.Size())
		head = head[len(header)-len(h):]
		copy(head, h)
	} else {
		head = head[len(header):]
	}
	_ = c.writer.SendAnswer(head, data) // an error means that the connection is gone
}
