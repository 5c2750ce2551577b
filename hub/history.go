package hub

import (
	"context"
	"errors"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/protocol"
)

// History reads up to limit of a room's stored messages that follow a position, oldest first. The zero Position is
// before the oldest. A limit of zero reads all. It blocks while the broker is asked, until ctx ends. The error matches
// ErrNoHistory if the room's rule does not enable history, or is the broker's. Each message has its whole Meta,
// whatever ShowPublisher shows to clients.
func (h *Hub) History(ctx context.Context, room string, since broker.Position, limit int) (broker.Page, error) {
	return h.readHistory(ctx, room, broker.Query{Since: since, Limit: limit})
}

// HistoryBefore reads up to limit of a room's stored messages that precede a position, newest first. The zero Position
// is after the newest. If the position's epoch is over, the page has a gap. Otherwise it is like History.
func (h *Hub) HistoryBefore(ctx context.Context, room string, before broker.Position, limit int) (broker.Page, error) {
	return h.readHistory(ctx, room, broker.Query{Since: before, Limit: limit, Reverse: true})
}

func (h *Hub) readHistory(ctx context.Context, room string, q broker.Query) (broker.Page, error) {
	q.Retention = h.rule(room).Retention
	if h.history == nil || !q.Retention.Enabled() {
		return broker.Page{}, ErrNoHistory
	}
	return h.history.Read(ctx, room, q)
}

// history answers a client that reads a part of a room's history.
func (v *v1Client) history(q *protocol.Request) {
	c := (*Conn)(v)
	id, room := q.ID, string(q.Room)
	if err := checkRoom(room); err != nil {
		c.replyError(id, clip(room), err)
		return
	}
	query := broker.Query{Since: toBroker(q.Position), Limit: q.Limit, Reverse: q.Reverse}
	if query.Limit == 0 {
		query.Limit = protocol.DefaultPage
	}
	c.unbar(room)
	if c.rooms.Find(room) == nil && !v.mayRead(id, room) {
		return
	}
	ctx := v.request()
	defer ctx.finish()
	var removed error // set if the client was removed meanwhile: the page may be newer than that
	err := c.hub.rooms.Page(ctx, room, query, func(page broker.Page) {
		if removed = (*member)(c).Barred(room); removed == nil {
			v.sendPage(id, page)
		}
	})
	if err = errors.Join(err, removed); err != nil {
		v.fault("history", room, err)
		c.replyError(id, room, toError(err))
	}
}

// mayRead asks the application whether a client may read the history of a room that it is not in. If not, it answers
// the client.
func (v *v1Client) mayRead(id uint64, room string) bool {
	c := (*Conn)(v)
	f := c.hub.handlers.set.Load().history
	if f == nil {
		c.replyError(id, clip(room), &Error{Code: protocol.CodeUnknownRoom, Message: "not joined"})
		return false
	}
	return v.decided(id, room, func() *Error {
		return v.asked("OnHistory", room, func() error { return f(c.Context(), c, room) })
	})
}

// orEmpty returns p, or an empty slice for nil.
func orEmpty(p []byte) []byte {
	if p == nil {
		return []byte{}
	}
	return p
}

func (v *v1Client) sendPage(id uint64, page broker.Page) {
	h := protocol.History{More: page.More, Messages: make([]protocol.HistoryMessage, len(page.Messages))}
	for i, m := range page.Messages {
		h.Messages[i] = protocol.HistoryMessage{Offset: m.Position.Offset, Data: m.Data}
		if m.Binary {
			h.Messages[i].Data, h.Messages[i].Bin = nil, orEmpty(m.Data)
		}
		if m.Meta != nil {
			h.Messages[i].Meta = rooms.Carried(m.Meta, new(protocol.Meta))
		}
	}
	buf := scratch.Get().(*[]byte) //nolint:forcetypeassert // the pool's only type
	*buf = protocol.AppendHistoryWithin((*buf)[:0], h, rooms.MaxPage)
	c := (*Conn)(v)
	c.owe(len(page.Messages), c.hub.conf.costs.History)
	c.send(func(dst []byte, x codec.Codec) []byte {
		return x.OK(dst, protocol.OK{ID: id, Epoch: page.Top.Epoch, Offset: page.Top.Offset, Data: *buf})
	})
	if cap(*buf) <= keepScratch {
		scratch.Put(buf)
	}
}
