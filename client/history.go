package client

import (
	"context"
	"fmt"
	"iter"

	"github.com/gohubkit/hubkit/protocol"
)

// page is what a question about a part of something asks for.
type page struct {
	limit   int
	reverse bool
	count   bool
	after   string
}

// HistoryQuery says what History reads. The zero value reads the first page, which begins with the oldest message.
type HistoryQuery struct {
	// From is the position to read after, or, with Reverse, to read before. Zero is the oldest message, or the newest.
	From Position
	// Reverse reads the newest messages first.
	Reverse bool
	// Limit is how many messages a page has at most: 1 to protocol.MaxPage. Zero is protocol.DefaultPage.
	Limit int
}

// HistoryPage is a part of a room's history.
type HistoryPage struct {
	// Messages are in the order that was asked for, without a hole.
	Messages []Message
	// Newest is the position of the room's newest message.
	Newest Position
	// More is set if there are further messages. The position of the last message leads to them.
	More bool
}

// History reads one page of a room's history. The server may return fewer messages than the limit, and returns at
// least one if there is one. The client must be in the room, unless the application allows otherwise. If there is no
// connection, History waits for one.
//
// The errors are those of Call. From the server, protocol.CodeGone says that messages after From are no longer
// stored, or that the epoch has ended. protocol.CodeNoHistory says that the room has no history.
func (c *Client) History(ctx context.Context, room string, q HistoryQuery) (HistoryPage, error) {
	if err := q.check(room); err != nil {
		return HistoryPage{}, err
	}
	r := &request{op: protocol.OpHistory, room: room, pos: q.From, page: page{limit: q.Limit, reverse: q.Reverse}}
	reply, err := c.ask(ctx, r)
	if err != nil {
		return HistoryPage{}, err
	}
	h, err := protocol.ParseHistory(reply)
	if err != nil {
		return HistoryPage{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	p := HistoryPage{Newest: r.pos, More: h.More, Messages: make([]Message, len(h.Messages))}
	for i, m := range h.Messages {
		if m.Bin != nil {
			m.Data = m.Bin
		}
		p.Messages[i] = Message{Room: room, Data: m.Data, Binary: m.Bin != nil, Position: Position{Epoch: r.pos.Epoch, Offset: m.Offset}, Meta: m.Meta}
	}
	if err := p.check(q); err != nil {
		return HistoryPage{}, err
	}
	return p, nil
}

// HistoryMessages iterates over a room's history and fetches each page when it is needed. Limit applies to a page. An
// error is the last pair; it is one of those of History.
func (c *Client) HistoryMessages(ctx context.Context, room string, q HistoryQuery) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for q := q; ; {
			p, err := c.History(ctx, room, q)
			if err != nil {
				yield(Message{}, err)
				return
			}
			for _, m := range p.Messages {
				if !yield(m, nil) {
					return
				}
			}
			if !p.More {
				return
			}
			q.From = p.Messages[len(p.Messages)-1].Position
		}
	}
}

func (q HistoryQuery) check(room string) error {
	if err := checkRoom(room); err != nil {
		return err
	}
	if q.Limit < 0 || q.Limit > protocol.MaxPage {
		return invalid("HistoryQuery: Limit %d, must be 0 to %d", q.Limit, protocol.MaxPage)
	}
	return q.From.check("HistoryQuery: From")
}

// check reports a position that cannot be sent.
func (p Position) check(what string) error {
	switch {
	case p.Epoch == "" && p.Offset > 0:
		return invalid("%s: no epoch", what)
	case p.Offset > protocol.MaxOffset:
		return invalid("%s: offset %d, at most %d", what, p.Offset, uint64(protocol.MaxOffset))
	}
	return nil
}

// check wants what the server owes: messages one after the other behind the position asked for, and one at least if there are
// more, or a reader of pages would never come to an end.
func (p HistoryPage) check(q HistoryQuery) error {
	if p.More && len(p.Messages) == 0 {
		return fmt.Errorf("%w: a page of history without a message, and more of them", ErrProtocol)
	}
	for i, m := range p.Messages {
		before, ok := q.From, true
		if i > 0 {
			before = p.Messages[i-1].Position
		}
		switch offset := m.Position.Offset; {
		case i == 0 && (q.From.IsZero() || q.From.Epoch != m.Position.Epoch):
		case i == 0 && q.Reverse: // From may be ahead of the newest message
			ok = offset < before.Offset
		case q.Reverse:
			ok = offset+1 == before.Offset
		default:
			ok = offset == before.Offset+1
		}
		if !ok {
			return fmt.Errorf("%w: a page of history with offset %d after %d", ErrProtocol, m.Position.Offset, before.Offset)
		}
	}
	return nil
}
