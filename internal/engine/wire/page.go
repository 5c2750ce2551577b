package wire

import (
	"context"
	"net"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// AwaitPages blocks until no Page of a room waits any more, or ctx ends. A reader of the history calls it before it
// reads on, so that it holds no page while the socket takes its time.
func (w *Writer) AwaitPages(ctx context.Context, src *frame.Source) error {
	err := w.when(ctx, func() bool {
		q := w.backlog()
		if q == nil {
			return true
		}
		_, _, waits := q.pages(src)
		return !waits
	})
	if err == nil {
		w.mu.Unlock()
	}
	return err
}

// Page sends messages read from a room's history, or a notice about the room if b is no room's batch. It blocks until the
// backlog has space for them, or until ctx ends. All pages together take half of the backlog, so that there is always space
// for other messages. An error means that none was sent. Waiting messages of a Page are not given up.
func (w *Writer) Page(ctx context.Context, src *frame.Source, b *frame.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	err := w.when(ctx, func() bool {
		q := w.backlog()
		if q == nil {
			return true
		}
		it := itemAt(w.wireForm(b), 0)
		conf := w.owner.Config()
		messages, bytes, its := q.pages(src)
		if its || messages > 0 && (messages+it.left > conf.MaxMessages/2 || bytes+it.size > conf.MaxBytes/2) {
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
	b, _ = w.altered(b, 0)
	if q := w.backlog(); q != nil {
		it := itemAt(b, 0)
		it.page = src
		q.push(it)
		return nil
	}
	// A failure is found again by whoever writes next.
	n, _ := w.writeNow(b.Wire(0))
	it := itemAt(b, n)
	it.page = src
	w.messages += uint64(b.Len() - it.left)
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

// wireForm is a room's batch as this socket gets it, but for what a Stamper adds.
func (w *Writer) wireForm(b *frame.Batch) *frame.Batch {
	if w.traits&deflates != 0 && b.Source() != nil {
		conf := w.owner.Config()
		return b.Deflated(conf.Deflater, conf.DeflateMin)
	}
	return b
}

// when blocks until cond, which is called with mu held, reports true, and returns with mu held then. An error means
// that the connection is gone or going, or that ctx has ended; mu is not held.
func (w *Writer) when(ctx context.Context, cond func() bool) error {
	for {
		w.lock()
		if w.state != open {
			w.mu.Unlock()
			return net.ErrClosed
		}
		if cond() {
			return nil
		}
		changed := w.backlog().await()
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
	// SentBytes are those that the socket has taken, and SentMessages are wholly in it: of rooms, replies and all else that is no
	// control frame.
	SentBytes, SentMessages       uint64
	Delivered, Dropped, Conflated int64
	// What waits, replies and control frames too.
	Messages, Bytes int
	// Replaying rooms are read from their history.
	Replaying int
}

// Stats returns the Writer's figures.
func (w *Writer) Stats() Stats {
	w.lock()
	defer w.mu.Unlock()
	s := Stats{SentBytes: w.bytes, SentMessages: w.messages, Delivered: w.delivered}
	if q := w.backlog(); q != nil && w.state != closed {
		s.Messages, s.Bytes = q.messages, q.bytes
	}
	if slow := w.slow(); slow != nil {
		s.Dropped, s.Conflated = slow.dropped, slow.conflated
		for _, l := range slow.lags {
			if l.until == forever {
				s.Replaying++
			}
		}
	}
	return s
}

// Load is what waits for the socket, and whether rooms are read from their history meanwhile.
func (w *Writer) Load() (messages, bytes int, replays bool) {
	w.lock()
	defer w.mu.Unlock()
	if q := w.backlog(); q != nil && w.state != closed {
		messages, bytes = q.messages, q.bytes
	}
	if slow := w.slow(); slow != nil {
		for _, l := range slow.lags {
			replays = replays || l.until == forever
		}
	}
	return messages, bytes, replays
}

// Moved is when the socket last took something of what waits; zero if nothing waits.
func (w *Writer) Moved() time.Time {
	w.lock()
	defer w.mu.Unlock()
	q := w.backlog()
	if q == nil {
		return time.Time{}
	}
	return q.moved
}
