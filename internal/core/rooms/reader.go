package rooms

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/wire"
)

// lostHistoryPause is between two looks at a history that was lost and began anew, until the broker has told the
// room here.
const lostHistoryPause = 20 * time.Millisecond

// A page is what is read from the history, and sent, at once: pageSize messages, and firstPage bytes of them at most, twice
// as many each time that the socket has taken a page, up to pageBytes. Neither is more than half of the backlog. All pages
// of a node together have pagesBytes; when they are lent out, a page has smallPage. It has one message in any case.
const (
	pageSize   = 128
	firstPage  = 16 << 10
	pageBytes  = 256 << 10
	smallPage  = 4 << 10
	pagesBytes = 64 << 20
)

// pages bounds what the clients of a node that read histories hold in pages.
type pages struct{ lent atomic.Int64 }

// lend returns how many bytes a page may have of those that it wants. No page has more than a quarter of what is left, so that
// there is something for others.
func (p *pages) lend(want int) int {
	left := pagesBytes - p.lent.Load()
	n := min(int64(want), max(left/4, smallPage))
	p.lent.Add(n)
	return int(n)
}

// reader reads a room's history for one connection, page by page at the pace of its socket, to the place where
// the live stream goes on. While the socket takes its time it holds no more than a page, and that in the
// backlog.
type reader struct {
	node   *Node
	writer *wire.Writer
	room   *Room
	from   Start // Last is wanted until the first page

	// answer is called before anything else is sent, with the position before that.
	answer func(start broker.Position)
	// barred, if it is not nil, ends the reading before the next page is sent.
	barred func() error
	// missed is told up to where messages are lost.
	missed func(to fanout.Mark)
	// join ends the reading, unless the live stream has gone on meanwhile.
	join func(since fanout.Mark) (bool, error)

	bytes int  // of the next page
	lent  int  // of the node's pages, for the last one
	sent  int  // messages
	gap   bool // the client was told of one
	begun bool
	start broker.Position // set once begun
}

// Patient is a context that bounds what the broker may take, and whose time stands still while a reader waits for the socket:
// that has the write timeout. A client that reads a long history slowly is not refused for it.
type Patient interface {
	context.Context
	Pause()
	Resume()
}

// untimed calls f, which waits for the socket.
func untimed(ctx context.Context, f func() error) error {
	if p, ok := ctx.(Patient); ok {
		p.Pause()
		defer p.Resume()
	}
	return f()
}

// catchUp sends what the history has for the connection, and makes it a member exactly where that ends.
func (j *join) catchUp(ctx context.Context) error {
	run := j.room.Now()
	if at, ok := j.node.known(j.room, j.from); ok {
		if in, err := j.take(run.At(at.Offset), at); in || err != nil {
			j.node.recovered(j.from, false, err)
			return err
		}
	}
	own := *j // what the reader refers to is on the heap, where a join of a room without history need not be
	x := reader{node: own.node, writer: own.member.Writer(), room: own.room, from: own.from, answer: own.answer}
	x.barred = func() error { return own.member.Barred(own.room.name) }
	x.missed = func(fanout.Mark) {}
	x.join = func(since fanout.Mark) (bool, error) { return own.take(since, x.start) }
	err := x.read(ctx)
	*j = own
	j.node.recovered(j.from, x.gap, err)
	if j.from.Read != nil {
		j.from.Read(x.sent)
	}
	return err
}

// recovered counts a join that began after a position, unless it has failed.
func (n *Node) recovered(from Start, gap bool, err error) {
	switch {
	case err != nil || from.Since.IsZero():
	case gap:
		n.recoveredGap.Add(1)
	default:
		n.recoveredAll.Add(1)
	}
}

// read blocks until join has taken a place. It may be called again after an error, and goes on.
func (x *reader) read(ctx context.Context) error {
	defer func() { x.hold(0) }()
	for {
		page, run, err := x.next(ctx)
		if err != nil {
			return err
		}
		if x.barred != nil {
			if err := x.barred(); err != nil {
				return err
			}
		}
		first := !x.begun
		if first {
			x.begun, x.start = true, startOf(page, x.from.Since)
		}
		x.from.Last = 0
		switch n := len(page.Messages); {
		case page.Gap:
			x.gap = true
			x.answer(x.start)
			x.missed(run.At(page.Top.Offset))
			x.from.Since = page.Top
			f := x.writer.Form()
			gap := frame.Encode(nil, f.Opcode(), func(dst []byte) []byte { return codec.Of(f).Gap(dst, x.room.name, page.Top) })
			if err := x.page(ctx, frame.Single(gap)); err != nil {
				return err
			}
		case n > 0:
			x.answer(x.start)
			if err := x.send(ctx, page.Messages, run); err != nil {
				return err
			}
			x.from.Since = page.Messages[n-1].Position
			x.sent += n
		default:
			x.from.Since = page.Top
		}
		if page.More {
			continue
		}
		if in, err := x.join(run.At(x.from.Since.Offset)); in || err != nil {
			return err
		}
		if !first && len(page.Messages) == 0 && !page.Gap {
			// The room here is ahead of the history.
			if err := pause(ctx, lostHistoryPause); err != nil {
				return err
			}
		}
	}
}

// hold says how many bytes the page in hand has; 0 where there is none.
func (x *reader) hold(bytes int) {
	x.node.pages.lent.Add(int64(bytes - x.lent))
	x.lent = bytes
}

// next reads a page when the one before has gone. The marks of its messages are in the run that it returns.
func (x *reader) next(ctx context.Context) (page broker.Page, run fanout.Mark, err error) {
	n := x.node
	for {
		run = x.room.Now()
		if !x.begun {
			if at, ok := x.node.known(x.room, x.from); ok {
				return broker.Page{Top: at}, run, nil
			}
		}
		err := untimed(ctx, func() error { return x.writer.AwaitPages(ctx, x.room.Source()) })
		if err != nil {
			return broker.Page{}, run, x.closedOr(err)
		}
		x.hold(0)
		most := min(pageBytes, n.conf.BacklogBytes/2)
		x.bytes = min(max(2*x.bytes, firstPage), most)
		x.lent = n.pages.lend(x.bytes)
		q := broker.Query{
			Since: x.from.Since, Last: x.from.Last, Limit: max(1, min(pageSize, n.conf.BacklogMessages/2)), Bytes: x.lent,
			PositionOnly: x.from.Since.IsZero() && x.from.Last == 0, Retention: x.room.rule.Retention,
		}
		run = x.room.Now()
		page, err := n.history.Read(ctx, x.room.name, q)
		if err != nil {
			return broker.Page{}, run, err
		}
		if !x.room.knows(page.Top.Epoch) {
			if err := pause(ctx, lostHistoryPause); err != nil {
				return broker.Page{}, run, err
			}
			continue
		}
		x.check(&page)
		return page, run, nil
	}
}

// known is where the room is, if the broker knows without being asked that the first page is empty: the member wants nothing of
// the history, or is there already.
func (n *Node) known(r *Room, from Start) (at broker.Position, ok bool) {
	if n.positions == nil || from.Last > 0 {
		return at, false
	}
	at, ok = n.positions.Position(r.name)
	return at, ok && (from.Since.IsZero() || from.Since == at) && r.knows(at.Epoch)
}

// check cuts a page before a message that clients cannot be sent. If that is the first, it is a gap. It counts the page's
// bytes.
func (x *reader) check(page *broker.Page) {
	bytes := 0
	for i := range page.Messages {
		m := &page.Messages[i]
		if sound(m) {
			bytes += len(m.Data) + m.Meta.Size()
			continue
		}
		x.node.corrupt.Add(1)
		page.More = page.More || i+1 < len(page.Messages)
		if page.Messages = page.Messages[:i]; i == 0 {
			page.Gap, page.Top = true, m.Position
		} else {
			page.More = true
		}
		break
	}
	x.hold(bytes)
}

// send sends messages of the history at the pace of the socket.
func (x *reader) send(ctx context.Context, ms []broker.Message, run fanout.Mark) error {
	b := frame.NewBatch(0, x.room.Source(), x.writer.Form())
	for i := range ms {
		m := &ms[i]
		what := frame.Message{Seq: uint64(run.At(m.Position.Offset))}
		if m.Meta != nil && !m.Meta.Except.IsZero() && x.writer.Excepted(&m.Meta.Except) {
			what.Class = frame.Skip
			b.Add(what, func(dst []byte, f frame.Form) []byte { return codec.Of(f).Skip(dst, x.room.name, m.Position) })
			continue
		}
		b.Add(what, func(dst []byte, f frame.Form) []byte { return x.room.appendMessage(dst, f, m) })
	}
	return x.page(ctx, b)
}

func (x *reader) page(ctx context.Context, b *frame.Batch) error {
	return x.closedOr(untimed(ctx, func() error { return x.writer.Page(ctx, x.room.Source(), b) }))
}

func (x *reader) closedOr(err error) error {
	closed := x.room.errors().Closed
	if err == nil || errors.Is(err, closed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return closed
}

// startOf is the position before the first message that the client will get.
func startOf(p broker.Page, since broker.Position) broker.Position {
	switch {
	case p.Gap && !since.IsZero():
		return since
	case len(p.Messages) == 0:
		return p.Top
	default:
		first := p.Messages[0].Position
		return broker.Position{Epoch: first.Epoch, Offset: first.Offset - 1}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
