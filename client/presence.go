package client

import (
	"context"
	"fmt"
	"iter"

	"github.com/gohubkit/hubkit/protocol"
)

// Presence returns the members of a room. The server may list fewer members than it counts. Next is then the cursor
// of the others: see [Client.PresencePage] and [Client.Members]. If there is no connection, Presence waits for one. The
// errors are those of Call.
func (c *Client) Presence(ctx context.Context, room string) (Presence, error) {
	return c.presence(ctx, room, page{})
}

// PresenceCount returns how many members a room has, without their list. If the server sends the number of distinct users,
// the result has it too. Otherwise PresenceCount is like Presence.
func (c *Client) PresenceCount(ctx context.Context, room string) (Presence, error) {
	return c.presence(ctx, room, page{count: true})
}

// PresencePage returns at most limit members, 1 to protocol.MaxPage. With a limit of zero the server decides. after
// is the Next of the page before, or empty for the first page. Otherwise it is like Presence.
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

// Members iterates over the members of a room, page by page. A member that joins or leaves during the iteration may
// be missing or listed. An error is the last pair; it is one of those of Presence.
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
