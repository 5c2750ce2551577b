package wire

import (
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// backlog is what waits for a socket, in order.
type backlog struct {
	rare     rare // the Writer's, unless it has a slow
	items    []item
	messages int // not wholly sent
	bytes    int
	// flight is how much of the first item a write under way was given: at most a slice.
	flight  int32
	gathers bool          // see Writer.Gather: there are no items, and nobody writes
	moved   time.Time     // when the socket last took something
	changed chan struct{} // closed when something has gone; nil while nobody waits for that
	held    func(int)     // Config.Held

	gathered []byte
}

// hold tells of a batch that an item has from now on.
func (q *backlog) hold(b *frame.Batch) {
	if q.held == nil {
		return
	}
	if n := b.Hold(); n > 0 {
		q.held(n)
	}
}

// release tells of a batch that an item has no more.
func (q *backlog) release(b *frame.Batch) {
	if q.held == nil {
		return
	}
	if n := b.Release(); n > 0 {
		q.held(-n)
	}
}

// change wakes those who wait.
func (q *backlog) change() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// await returns a channel that is closed when something has gone.
func (q *backlog) await() <-chan struct{} {
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return q.changed
}

func (q *backlog) push(it item) {
	it.pack()
	q.hold(it.batch)
	q.items = append(q.items, it)
	q.messages += it.left
	q.bytes += it.size
}

// take is what to write next, at most n bytes.
func (q *backlog) take(n int) []byte {
	data := q.items[0].run()
	data = data[:min(n, len(data))]
	q.flight = int32(len(data))
	return data
}

// sent takes n bytes off what was taken, and reports how many messages that completed, how many of them are plain ones and events,
// and of which room.
func (q *backlog) sent(n int) (messages, plain, events int, src *frame.Source) {
	it := &q.items[0]
	q.flight = 0
	first := it.next
	done := it.sent(n)
	plain, events = it.batch.Count(first, first+done) // a run has no gaps
	src = it.batch.Source()
	if !it.silent {
		messages = done
	}
	q.messages -= done
	q.bytes -= n
	if it.left == 0 {
		q.release(it.batch)
		q.items[0] = item{}
		q.items = q.items[1:]
	}
	q.change()
	return messages, plain, events, src
}

func (q *backlog) empty() bool { return len(q.items) == 0 }

// flightOf is how much of an item is on its way to the socket.
func (q *backlog) flightOf(i int) int {
	if i == 0 {
		return int(q.flight)
	}
	return 0
}

// verdict is what becomes of a message that waits.
type verdict uint8

const (
	keep verdict = iota
	lose
	stop // and keep this one and all others
)

// each asks judge about every message that can still be given up, from the oldest on, in the items that
// of says.
func (q *backlog) each(of func(*item) bool, judge func(b *frame.Batch, i int) verdict) {
	messages := q.messages
	for n, v := 0, keep; n < len(q.items) && v != stop; n++ {
		it := &q.items[n]
		if !of(it) {
			continue
		}
		flight, left := q.flightOf(n), it.left
		for i := it.next; i < it.batch.Len(); i++ {
			if !it.waits(i, flight) {
				continue
			}
			if v = judge(it.batch, i); v == stop {
				break
			}
			if v == lose {
				size := it.size
				it.lose(i)
				q.messages--
				q.bytes -= size - it.size
			}
		}
		if it.left < left && flight == 0 {
			q.repack(it)
		}
	}
	if q.messages < messages {
		q.sweep()
		q.change()
	}
}

// giveUp drops all but the rest of a frame that is in the socket in part, or with a write under way. drop is told how many
// plain messages of which room that were.
func (q *backlog) giveUp(drop func(src *frame.Source, n int)) {
	begun := true // the item before is sent, or kept
	for n := range q.items {
		it := &q.items[n]
		flight, left, size, plain := q.flightOf(n), it.left, it.size, it.plain()
		if !it.rest || !begun {
			for i := it.next; i < it.batch.Len(); i++ {
				if it.waits(i, flight) {
					it.lose(i)
				}
			}
		}
		begun = it.left > 0
		drop(it.batch.Source(), plain-it.plain())
		q.messages -= left - it.left
		q.bytes -= size - it.size
	}
	q.sweep()
	q.change()
}

// repack packs an item that is in the queue.
func (q *backlog) repack(it *item) {
	old := it.batch
	if it.pack(); it.batch != old {
		q.hold(it.batch)
		q.release(old)
	}
}

// sweep removes the items of which nothing is left.
func (q *backlog) sweep() {
	kept := q.items[:0]
	for _, it := range q.items {
		if it.left > 0 {
			kept = append(kept, it)
		} else {
			q.release(it.batch)
		}
	}
	clear(q.items[len(kept):])
	q.items = kept
}

// pages is what waits of pages, and whether one of a room is among them.
func (q *backlog) pages(src *frame.Source) (messages, bytes int, its bool) {
	for i := range q.items {
		if it := &q.items[i]; it.page != nil {
			messages += it.left
			bytes += it.size
			its = its || it.page == src
		}
	}
	return messages, bytes, its
}
