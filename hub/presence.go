package hub

import (
	"context"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/presence"
	"github.com/gohubkit/hubkit/internal/core/rooms"
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

// everybody answers with the first page of a room's members, which all share that ask.
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
	(*Conn)(v).send(func(dst []byte) []byte { return protocol.AppendOK(dst, protocol.OK{ID: id, Room: room, Data: data}) })
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
