package rooms

import (
	"context"
	"errors"

	"github.com/gohubkit/hubkit/broker"
)

// ErrGone says that a history does not go on from a position: its epoch is over, or messages after it are not to be had.
var ErrGone = errors.New("hub: the requested history is no longer stored")

// MaxPage is how many bytes of messages a page has that a client asks for.
const MaxPage = 48 << 10

// Page reads a part of a room's history for a client that asks for it, and calls use with it. All messages of the page can be
// sent to clients, show no more than the room does, and follow each other without a hole. Like the pages of a join, it has fewer bytes if many are
// read at once. q has the position, the largest number of messages, and the direction.
//
// The error matches Errors.NoHistory or ErrGone, or is the broker's.
func (n *Node) Page(ctx context.Context, name string, q broker.Query, use func(broker.Page)) error {
	rule := n.conf.Rule(name)
	if q.Retention = rule.Retention; !q.Retention.Enabled() || n.history == nil {
		return n.conf.Errors.NoHistory
	}
	q.Bytes = n.pages.lend(MaxPage)
	defer n.pages.lent.Add(-int64(q.Bytes))
	for resumed := !q.Since.IsZero(); ; {
		page, err := n.history.Read(ctx, name, q)
		switch {
		case err != nil:
			return err
		case page.Gap:
			return ErrGone
		}
		skipped := n.cut(&page)
		switch {
		case skipped == nil:
		case resumed && !q.Reverse: // the reader relies on there being no hole
			return ErrGone
		case len(page.Messages) == 0 && page.More:
			q.Since = *skipped
			continue
		}
		for i := range page.Messages {
			page.Messages[i].Meta = rule.shown(page.Messages[i].Meta)
		}
		use(page)
		return nil
	}
}

// cut leaves messages out that clients cannot be sent: those at the page's beginning, of which it returns the last one's
// position, and all from the next such message on.
func (n *Node) cut(page *broker.Page) (skipped *broker.Position) {
	for len(page.Messages) > 0 && !sound(&page.Messages[0]) {
		n.corrupt.Add(1)
		skipped = &page.Messages[0].Position
		page.Messages = page.Messages[1:]
	}
	for i := range page.Messages {
		if !sound(&page.Messages[i]) {
			page.Messages, page.More = page.Messages[:i], true
			break
		}
	}
	return skipped
}
