package wire

import "github.com/gohubkit/hubkit/internal/frame"

// item is a batch, and how much of its wire form has been sent.
type item struct {
	batch *frame.Batch
	at    int
}

// backlog is what waits for a socket, in order.
type backlog struct {
	items    []item
	messages int // not wholly sent
	bytes    int
	gone     chan struct{} // closed at the end; nil while nobody waits for it
}

func (q *backlog) end() {
	if q.gone != nil {
		close(q.gone)
	}
}

func (q *backlog) push(it item, messages int) {
	q.items = append(q.items, it)
	q.messages += messages
	q.bytes += it.batch.Size() - it.at
}

// head is what to write next.
func (q *backlog) head() []byte {
	it := &q.items[0]
	return it.batch.Wire(0)[it.at:]
}

// sent takes n bytes off the head and reports how many room messages that completed.
func (q *backlog) sent(n int) (room int) {
	it := &q.items[0]
	before := it.batch.Remaining(it.at)
	it.at += n
	done := before - it.batch.Remaining(it.at)
	q.messages -= done
	q.bytes -= n
	if it.batch.Counted() {
		room = done
	}
	if it.at == it.batch.Size() {
		q.items[0] = item{}
		q.items = q.items[1:]
	}
	return room
}

func (q *backlog) empty() bool { return len(q.items) == 0 }

// room is how many room messages wait.
func (q *backlog) room() int {
	n := 0
	for _, it := range q.items {
		if it.batch.Counted() {
			n += it.batch.Remaining(it.at)
		}
	}
	return n
}
