package wire

import "github.com/gohubkit/hubkit/internal/engine/frame"

// overflow gives up what waits, and all that would come, for the sake of a close frame: behind the backlog it would come too late, and
// the socket closed at once would say nothing. It is called with mu held, while the Writer is open, and releases it.
func (w *Writer) overflow() {
	w.state = full
	w.backlog().giveUp(w.drop)
	w.dropOwed()
	if w.lagging {
		w.slow().fell = nil
		_ = w.hurry() // what is under way has taken its time so far
	}
	w.mu.Unlock()
	w.owner.WriterFull()
}

// over reports whether an item exceeds the bound of the backlog.
func (w *Writer) over(it *item) bool {
	conf := w.owner.Config()
	q := w.backlog()
	return q.messages+it.left > conf.MaxMessages || q.bytes+it.size > conf.MaxBytes
}

// queue puts what is to be sent at the end of the backlog, as the room's Overflow says. It reports whether there was
// a place, or none was needed any more.
func (w *Writer) queue(it *item) bool {
	src := it.batch.Source()
	if src.Overflow == frame.Conflate {
		w.conflate(it)
	}
	if w.over(it) {
		switch src.Overflow {
		case frame.DropNewest:
			w.dropNewest(it)
		case frame.DropOldest:
			w.dropOldest(it)
		case frame.Replay:
			if !w.canYield(it) && w.mayFall() {
				w.fall(src, it)
			}
		}
	}
	return it.left == 0 || w.force(it)
}

// force puts at the end of the backlog what must not be lost. It reports whether there is a place for it, when
// everything has made way that may.
func (w *Writer) force(it *item) bool {
	if w.over(it) {
		w.yield(it)
	}
	if w.over(it) {
		return false
	}
	w.backlog().push(*it)
	return true
}

// conflate gives up the messages, waiting or in it, that have a newer one in it.
func (w *Writer) conflate(it *item) {
	n := 0
	src, b := it.batch.Source(), it.batch
	if q := w.backlog(); q != nil {
		q.each(func(o *item) bool { return o.batch.Source() == src }, func(o *frame.Batch, i int) verdict {
			if o.Class(i) != frame.Plain || !b.Newer(o, i) {
				return keep
			}
			n++
			return lose
		})
	}
	for i := it.next; b.Len() > 1 && i < b.Len(); i++ {
		if b.Class(i) == frame.Plain && b.Newer(b, i) && it.waits(i, 0) {
			it.lose(i)
			n++
		}
	}
	if n > 0 {
		src.Account.Conflated.Add(int64(n))
		w.more().conflated += int64(n)
	}
}

// dropNewest gives up what does not fit of what comes.
func (w *Writer) dropNewest(it *item) {
	b, n := it.batch, 0
	for i := b.Len() - 1; i >= it.next && w.over(it); i-- {
		if b.Class(i) == frame.Plain {
			it.lose(i)
			n++
		}
	}
	w.drop(b.Source(), n)
}

// dropOldest gives up what has waited longest of the same room, and if that is not enough, the first of what
// comes.
func (w *Writer) dropOldest(it *item) {
	src, n := it.batch.Source(), 0
	judge := func(b *frame.Batch, i int) verdict {
		switch {
		case !w.over(it):
			return stop
		case b.Class(i) != frame.Plain:
			return keep
		}
		n++
		return lose
	}
	w.backlog().each(func(o *item) bool { return o.batch.Source() == src }, judge)
	for i := it.next; i < it.batch.Len(); i++ {
		if v := judge(it.batch, i); v == lose {
			it.lose(i)
		} else if v == stop {
			break
		}
	}
	w.drop(src, n)
}

func lossy(it *item) bool {
	src := it.batch.Source()
	return src != nil && src.Overflow.Lossy()
}

// canYield makes the messages of rooms that may lose some give way to an item, if that is enough.
func (w *Writer) canYield(it *item) bool {
	conf := w.owner.Config()
	q := w.backlog()
	messages := q.messages + it.left - conf.MaxMessages
	bytes := q.bytes + it.size - conf.MaxBytes
	q.each(lossy, func(b *frame.Batch, i int) verdict {
		if b.Class(i) == frame.Plain {
			messages--
			bytes -= b.Start(i+1) - b.Start(i)
		}
		if messages <= 0 && bytes <= 0 {
			return stop
		}
		return keep
	})
	if messages > 0 || bytes > 0 {
		return false
	}
	w.dropLossy(it)
	return true
}

// dropLossy gives up the oldest messages of rooms that may lose some, until an item has a place.
func (w *Writer) dropLossy(it *item) {
	w.backlog().each(lossy, func(b *frame.Batch, i int) verdict {
		switch {
		case !w.over(it):
			return stop
		case b.Class(i) != frame.Plain:
			return keep
		}
		w.drop(b.Source(), 1)
		return lose
	})
}

// yield makes space for an item that must not be lost: rooms that read on from their history give way first, since they
// lose nothing by it, then those that may lose something.
func (w *Writer) yield(it *item) {
	for w.over(it) && w.mayFall() {
		src := w.replayable()
		if src == nil {
			break
		}
		w.fall(src, nil)
	}
	if w.over(it) {
		w.dropLossy(it)
	}
}

// replayable is a room of which something waits that can be read again later; nil if there is none.
func (w *Writer) replayable() (src *frame.Source) {
	w.backlog().each(func(it *item) bool {
		s := it.batch.Source()
		return s != nil && s.Overflow == frame.Replay && it.page == nil
	}, func(b *frame.Batch, i int) verdict {
		if c := b.Class(i); c != frame.Plain && c != frame.Skip {
			return keep
		}
		src = b.Source()
		return stop
	})
	return src
}
