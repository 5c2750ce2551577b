package hub

import (
	"context"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
)

// Presence tells who is in a room, on all nodes: how many there are, and up to limit of them; zero lists all.
// The error matches ErrNoPresence where the room's rule does not enable it.
func (h *Hub) Presence(ctx context.Context, room string, limit int) (protocol.Presence, error) {
	if h.presence == nil || !h.rule(room).presence {
		return protocol.Presence{}, ErrNoPresence
	}
	members, err := h.presence.Members(ctx, room, limit)
	if err != nil {
		return protocol.Presence{}, err
	}
	p := protocol.Presence{Count: len(members), Members: make([]protocol.Member, len(members))}
	for i, m := range members {
		p.Members[i] = protocol.Member(m)
	}
	if limit > 0 && len(members) == limit { // there may be more
		n, err := h.presence.Count(ctx, room)
		if err != nil {
			return protocol.Presence{}, err
		}
		p.Count = max(n, p.Count)
	}
	return p, nil
}

// History reads a room's stored messages. The error matches ErrNoHistory where the room's rule does not
// enable it.
func (h *Hub) History(ctx context.Context, room string, since broker.Position, limit int) (broker.Page, error) {
	retention := h.rule(room).retention
	if h.history == nil || !retention.Enabled() {
		return broker.Page{}, ErrNoHistory
	}
	return h.history.Read(ctx, room, broker.Query{Since: since, Limit: limit, Retention: retention})
}

// checkRoom is what a client hears of a bad room name; nil for a good one.
func checkRoom(room string) *Error {
	if err := broker.CheckRoom(room); err != nil {
		return &Error{Code: protocol.CodeBadRoom, Message: err.Error()}
	}
	return nil
}
