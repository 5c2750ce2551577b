package client

import (
	"context"
	"fmt"
	"iter"

	"github.com/gohubkit/hubkit/protocol"
)

// Presence asks who is in a room. The server may list fewer members than it counts: Next then leads to the others, see
// [Client.PresencePage] and [Client.Members]. Without a connection it waits for one. The errors are Call's.
func (c *Client) Presence(ctx context.Context, room string) (Presence, error) {
	return c.presence(ctx, room, page{})
}

// PresenceCount asks how many members a room has, and how many distinct users if the server says so, without a list of them.
// Otherwise it is Presence.
func (c *Client) PresenceCount(ctx context.Context, room string) (Presence, error) {
	return c.presence(ctx, room, page{count: true})
}

// PresencePage asks for at most limit members, 1 to protocol.MaxPage, or zero for as many as the server lists. after is the
// Next of the page before, or empty for the first page. Otherwise it is Presence.
func (c *Client) PresencePage(ctx context.Context, room, after string, limit int) (Presence, error) {
	if limit < 0 || limit > protocol.MaxPage {
		return Presence{}, invalid("PresencePage: limit %d, must be 0 to %d", limit, protocol.MaxPage)
	}
	p, err := c.presence(ctx, room, page{after: after, limit: limit})
	if err == nil && p.Next != "" && (len(p.Members) == 0 || p.Next == after) {
		return Presence{}, fmt.Errorf("%w: a page of members that leads nowhere", ErrProtocol)
	}
	return p, err
}

// Members lists the members of a room, page by page. Members that come and go meanwhile may be missing or listed. An error,
// which is Presence's, is the last pair.
func (c *Client) Members(ctx context.Context, room string) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		for after := ""; ; {
			p, err := c.PresencePage(ctx, room, after, 0)
			if err != nil {
				yield(Member{}, err)
				return
			}
			for _, m := range p.Members {
				if !yield(m, nil) {
					return
				}
			}
			if after = p.Next; after == "" {
				return
			}
		}
	}
}

func (c *Client) presence(ctx context.Context, room string, what page) (Presence, error) {
	if err := checkRoom(room); err != nil {
		return Presence{}, err
	}
	reply, err := c.ask(ctx, &request{op: protocol.OpPresence, room: room, page: what})
	if err != nil {
		return Presence{}, err
	}
	p, err := protocol.ParsePresence(reply)
	if err != nil {
		return Presence{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return p, nil
}
