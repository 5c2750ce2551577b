package wire

import (
	"slices"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// Tap is shown what a Writer is given to send: whole messages in wire form, before they are compressed or stamped. It is called with
// the Writer locked, in the order in which they are sent. It must not block, and must not keep what it is shown.
type Tap struct{ Sent func(message []byte) }

// Tap has t shown all that is sent from now on, until Untap. A message is shown before it is queued, and before it may be given up.
func (w *Writer) Tap(t *Tap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.more().taps = append(w.more().taps, t)
	w.traits |= tapped
}

// Untap ends what Tap began.
func (w *Writer) Untap(t *Tap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.more()
	s.taps = slices.DeleteFunc(s.taps, func(o *Tap) bool { return o == t })
	if len(s.taps) == 0 {
		s.taps = nil
		w.traits &^= tapped
	}
}

// show is called with mu held, if the Writer is tapped.
func (w *Writer) show(message []byte) {
	for _, t := range w.slow().taps {
		t.Sent(message)
	}
}

// showFrom shows the messages of a batch from one on.
func (w *Writer) showFrom(b *frame.Batch, from int) {
	for i := from; i < b.Len(); i++ {
		if m := b.Message(i); len(m) > 0 {
			w.show(m)
		}
	}
}

// alteredOne is what this connection is sent of one whole message.
func (w *Writer) alteredOne(wire []byte) []byte {
	if w.traits&tapped != 0 {
		w.show(wire)
	}
	if w.traits&stamps != 0 {
		wire = w.slow().stamper.StampOne(wire)
	}
	return wire
}
