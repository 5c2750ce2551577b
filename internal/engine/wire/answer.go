package wire

import (
	"context"
	"net"
	"slices"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// joinable is how long a tail is copied behind its head, to spare a system call.
const joinable = 4 << 10

// SendAnswer sends one frame in two parts: head, which may be reused after the call, and a frame.Tail, which connections
// share and the backlog holds by reference.
func (w *Writer) SendAnswer(head []byte, tail *frame.Batch) error {
	w.lock()
	if w.state != open {
		w.mu.Unlock()
		return net.ErrClosed
	}
	if w.traits&tapped != 0 {
		w.show(slices.Concat(head, tail.Wire(0)))
	}
	if w.backlog() != nil {
		return w.queueParts(head, tail, 0)
	}
	parts := [2][]byte{head, tail.Wire(0)}
	whole := parts[:]
	if tail.Size() <= joinable {
		parts[0] = append(head, parts[1]...) // head stays the caller's; what is behind it is nobody's
		whole = parts[:1]
	}
	sent := 0
	for _, p := range whole {
		n, err := w.writeNow(p)
		if err != nil {
			w.fail(err)
			return err
		}
		if sent += n; n < len(p) {
			return w.queueParts(head, tail, sent)
		}
	}
	w.messages++
	w.mu.Unlock()
	return nil
}

// queueParts queues what is left of an answer of which the first bytes are sent. It is called with mu held and releases
// it.
func (w *Writer) queueParts(head []byte, tail *frame.Batch, sent int) error {
	items := make([]item, 0, 2)
	if sent < len(head) {
		items = append(items, itemAt(frame.Single(append([]byte(nil), head[sent:]...)), 0))
	}
	items = append(items, itemAt(tail, max(0, sent-len(head))))
	if len(items) == 2 {
		items[0].silent = true // the tail ends the message
	}
	items[0].rest = sent > 0
	items[len(items)-1].rest = sent > 0 || len(items) > 1
	begun := w.backlog() == nil // the end of a frame that has begun always has a place
	for i := range items {
		switch it := &items[i]; {
		case w.backlog() == nil:
			w.begin(*it)
		case begun:
			w.backlog().push(*it)
		case !w.force(it):
			w.overflow()
			return ErrOverflow
		}
	}
	w.unlock()
	return nil
}

// Answering reports whether an answer about a room waits for the socket.
func (w *Writer) Answering(about *frame.Source) bool {
	w.lock()
	defer w.mu.Unlock()
	return w.answering(about)
}

// Answered blocks until no answer about a room waits for the socket, or ctx ends.
func (w *Writer) Answered(ctx context.Context, about *frame.Source) error {
	err := w.when(ctx, func() bool { return !w.answering(about) })
	if err == nil {
		w.mu.Unlock()
	}
	return err
}

func (w *Writer) answering(about *frame.Source) bool {
	q := w.backlog()
	if q == nil {
		return false
	}
	for i := range q.items {
		if q.items[i].batch.About() == about {
			return true
		}
	}
	return false
}
