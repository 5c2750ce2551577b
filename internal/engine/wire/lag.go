package wire

import (
	"math"
	"slices"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// slow is what only Writers need whose socket could not keep up. It is made when it is first needed.
type slow struct {
	rare               rare // the Writer's
	dropped, conflated int64
	lags               []lag
	fell               []*frame.Source // rooms whose owner is still to be told of the lag
	stamper            Stamper
	taps               []*Tap
}

// forever is later than every message.
const forever = math.MaxUint64

// lag is a room whose messages are read from the history, because there was no place for them when they came.
type lag struct {
	source *frame.Source
	read   uint64 // up to here messages were sent from the history, or need not be
	until  uint64 // up to here, what comes by the room is not sent; forever until Resume
	gaps   []gap  // what of it has not come by the room yet
	seen   uint64 // the last message that came by the room
	owed   int    // messages that came by the room and are still to be read
}

// gap is what the history has no more, and nobody will read: the messages after from, up to to. What comes of them by
// the room is lost.
type gap struct{ from, to uint64 }

// lost reports whether a message is in a gap. It is asked about messages in their order, and forgets the gaps before.
func (l *lag) lost(seq uint64) bool {
	for len(l.gaps) > 0 && l.gaps[0].to < seq {
		l.gaps = l.gaps[1:]
	}
	return len(l.gaps) > 0 && seq > l.gaps[0].from
}

// lagOf returns the lag of a room; nil if it has none.
func (w *Writer) lagOf(src *frame.Source) *lag {
	if w.lagging {
		lags := w.slow().lags
		for i := range lags {
			if l := &lags[i]; l.source == src {
				return l
			}
		}
	}
	return nil
}

func (w *Writer) endLag(src *frame.Source) {
	s := w.slow()
	s.lags = slices.DeleteFunc(s.lags, func(l lag) bool { return l.source == src })
	if len(s.lags) == 0 {
		s.lags, w.lagging = nil, false
	}
}

// dropFrom counts the messages of a batch, from one on, that will not be sent.
func (w *Writer) dropFrom(b *frame.Batch, from int) {
	plain, _ := b.Count(from, b.Len())
	w.drop(b.Source(), plain)
}

// drop counts plain messages that will not be sent.
func (w *Writer) drop(src *frame.Source, n int) {
	if n > 0 && src != nil {
		src.Account.Dropped.Add(int64(n))
		w.more().dropped += int64(n)
	}
}

// fall gives up what waits of a room, and of an item about to, to be read from the history from there on. It does
// nothing if there is nothing to give up.
func (w *Writer) fall(src *frame.Source, coming *item) {
	var first, last uint64
	owed, begun := 0, false
	judge := func(b *frame.Batch, i int) verdict {
		switch b.Class(i) {
		case frame.Event:
			return keep
		case frame.Notice:
			if !begun {
				return keep // it stays where it is: all before it has been sent
			}
			return lose // whoever reads the history comes to the same
		case frame.Plain:
			owed++
		}
		if !begun {
			first, begun = b.Seq(i), true
		}
		last = b.Seq(i)
		return lose
	}
	w.backlog().each(func(it *item) bool { return it.batch.Source() == src && it.page == nil }, judge)
	if coming != nil {
		b := coming.batch
		for i := coming.next; i < b.Len(); i++ {
			if judge(b, i) == lose {
				coming.lose(i)
			}
		}
	}
	if !begun {
		return
	}
	s := w.more()
	if w.traits&stamps != 0 {
		s.stamper.Fell()
	}
	l := w.lagOf(src)
	if l == nil {
		s.lags = append(s.lags, lag{source: src})
		l = &s.lags[len(s.lags)-1]
		w.lagging = true
	}
	*l = lag{source: src, read: first - 1, until: forever, seen: last, owed: owed}
	s.fell = append(s.fell, src)
	_ = w.hurry() // a socket that is closed says so to whoever writes
}

// dropOwed gives up what was still to be read from histories.
func (w *Writer) dropOwed() {
	if !w.lagging {
		return
	}
	lags := w.slow().lags
	for i := range lags {
		l := &lags[i]
		w.drop(l.source, l.owed)
		l.owed = 0
	}
}

// unhurried reports whether the connection reads from the history: then it may take its time.
func (w *Writer) unhurried() bool {
	return w.lagging && w.state != full && slices.ContainsFunc(w.slow().lags, func(l lag) bool { return l.until == forever })
}

// hurry sets the deadline of the write that is under way, or comes next.
func (w *Writer) hurry() error {
	deadline := time.Time{}
	if !w.unhurried() {
		deadline = time.Now().Add(w.owner.Config().Timeout)
	}
	return w.conn.SetWriteDeadline(deadline)
}

// pass takes out of a batch what the lag of its room is about.
func (w *Writer) pass(b *frame.Batch, from int) (*frame.Batch, int) {
	l := w.lagOf(b.Source())
	if l == nil {
		return b, from
	}
	gone, until := 0, l.until // l does not outlive endLag
	want := func(i int) bool {
		return i >= from && (b.Class(i) == frame.Event || b.Seq(i) > until)
	}
	for i := from; i < b.Len(); i++ {
		if want(i) {
			continue
		}
		gone++
		if b.Class(i) == frame.Notice {
			continue
		}
		switch seq := b.Seq(i); {
		case b.Class(i) == frame.Skip: // nobody is owed it
		case l.lost(seq), seq > l.read && w.state != open:
			w.drop(l.source, 1)
		case seq > l.read:
			l.owed++
		}
		l.seen = b.Seq(i)
	}
	if b.Last() > until {
		w.endLag(b.Source()) // all that comes now is later
	}
	switch {
	case gone == 0:
		return b, from
	case gone == b.Len()-from:
		from = b.Len()
		return b, from
	}
	return b.Pick(want), 0
}

// Behind returns up to where a room's messages need not be read from the history. It returns false if nothing is
// to be read: the room has no lag, or Resume has ended it.
func (w *Writer) Behind(src *frame.Source) (read uint64, ok bool) {
	w.lock()
	defer w.mu.Unlock()
	l := w.lagOf(src)
	if l == nil || l.until != forever {
		return 0, false
	}
	return l.read, true
}

// Resume sends what comes by the room again, from the message after read on. All up to there must have been sent, with
// Page, or given up, with Skip.
func (w *Writer) Resume(src *frame.Source, read uint64) {
	w.lock()
	defer w.mu.Unlock()
	l := w.lagOf(src)
	if l == nil {
		return
	}
	// What the history never had, or has no more.
	w.drop(src, l.owed)
	l.owed, l.read, l.until = 0, read, read
	w.caughtUp()
}

// Skip gives up a lagging room's messages up to a place, which the history has no more.
func (w *Writer) Skip(src *frame.Source, to uint64) {
	w.lock()
	defer w.mu.Unlock()
	l := w.lagOf(src)
	if l == nil {
		return
	}
	// What has come of them stays owed, since nobody will read it; Resume counts it.
	if from := max(l.read, l.seen); to > from {
		l.gaps = append(l.gaps, gap{from, to})
	}
	l.read = to
}

// Forget ends the lag of a room that the connection has left.
func (w *Writer) Forget(src *frame.Source) {
	w.lock()
	defer w.mu.Unlock()
	if l := w.lagOf(src); l != nil {
		w.drop(src, l.owed)
		w.endLag(src)
		w.caughtUp()
	}
}

// caughtUp has the write timeout count again.
func (w *Writer) caughtUp() {
	if w.backlog() != nil && w.state != closed {
		_ = w.hurry()
	}
}
