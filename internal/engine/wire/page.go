package wire

import (
	"context"
	"net"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// AwaitPages blocks until no Page of a room waits any more, or ctx ends. Whoever reads the history calls it before he
// reads on, so that he holds no page while the socket takes its time.
func (w *Writer) AwaitPages(ctx context.Context, src *frame.Source) error {
	err := w.when(ctx, func() bool {
		if w.backlog == nil {
			return true
		}
		_, _, waits := w.backlog.pages(src)
		return !waits
	})
	if err == nil {
		w.mu.Unlock()
	}
	return err
}

// Page sends messages read from a room's history, or, where b is no room's batch, what is to be said about it. It blocks until there is a place for them in the backlog, of which
// all pages together take half, so that there is always a place for something else; or until ctx ends. An error means that
// none was sent. What waits of a Page is not given up.
func (w *Writer) Page(ctx context.Context, src *frame.Source, b *frame.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	err := w.when(ctx, func() bool {
		if w.backlog == nil {
			return true
		}
		it := itemAt(w.wireForm(b), 0)
		messages, bytes, its := w.backlog.pages(src)
		if its || messages > 0 && (messages+it.left > w.conf.MaxMessages/2 || bytes+it.size > w.conf.MaxBytes/2) {
			return false
		}
		return !w.over(&it) || w.canYield(&it)
	})
	if err != nil {
		return err
	}
	defer w.unlock()
	counted := b.Source() != nil
	if counted {
		plain, _ := b.Count(0, b.Len())
		src.Account.Replayed.Add(int64(plain))
	}
	if l := w.lagOf(src); l != nil && counted {
		for i := range b.Len() {
			if b.Class(i) == frame.Plain && b.Seq(i) <= l.seen {
				l.owed--
			}
		}
		l.read = b.Last()
	}
	b = w.wireForm(b)
	if w.backlog != nil {
		it := itemAt(b, 0)
		it.page = src
		w.backlog.push(it)
		return nil
	}
	// A failure is found again by whoever writes next.
	n, _ := w.writeNow(b.Wire(0))
	it := itemAt(b, n)
	it.page = src
	if counted {
		sent, _ := b.Count(0, b.Len()-it.left)
		src.Account.Delivered.Add(int64(sent))
		w.delivered += int64(sent)
	}
	if it.left > 0 {
		w.begin(it)
	}
	return nil
}

// wireForm is a room's batch as this socket gets it.
func (w *Writer) wireForm(b *frame.Batch) *frame.Batch {
	if w.deflate && b.Source() != nil {
		return b.Deflated(w.conf.Deflater, w.conf.DeflateMin)
	}
	return b
}

// when blocks until cond, which is called with mu held, reports true, and returns with mu held then. An error means
// that the connection is gone or going, or that ctx has ended; mu is not held.
func (w *Writer) when(ctx context.Context, cond func() bool) error {
	for {
		w.mu.Lock()
		if w.state != open {
			w.mu.Unlock()
			return net.ErrClosed
		}
		if cond() {
			return nil
		}
		changed := w.backlog.await()
		w.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Stats is what became of room messages on one connection.
type Stats struct {
	Delivered, Dropped, Conflated int64
	// What waits, replies and control frames too.
	Messages, Bytes int
	// Replaying rooms are read from their history.
	Replaying int
}

// Stats returns the Writer's figures.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Stats{Delivered: w.delivered}
	if q := w.backlog; q != nil && w.state != closed {
		s.Messages, s.Bytes = q.messages, q.bytes
	}
	if w.slow != nil {
		s.Dropped, s.Conflated = w.slow.dropped, w.slow.conflated
		for _, l := range w.slow.lags {
			if l.until == forever {
				s.Replaying++
			}
		}
	}
	return s
}

// Moved is when the socket last took something of what waits; zero where nothing waits.
func (w *Writer) Moved() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.backlog == nil {
		return time.Time{}
	}
	return w.backlog.moved
}
