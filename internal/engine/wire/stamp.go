package wire

import "github.com/gohubkit/hubkit/internal/engine/frame"

// Stamper adds to what is sent something that is the connection's own. Its methods are called with the Writer locked, in the
// order in which things are sent, and must not block.
type Stamper interface {
	// Stamp returns the messages of b from one on as the connection is sent them: b itself, if it can share them. A batch may
	// come twice in a row.
	Stamp(b *frame.Batch, from int) (own *frame.Batch, first int)
	// StampOne is Stamp for one whole message. What it returns is valid until the next call.
	StampOne(wire []byte) []byte
	// Shares reports whether batches of one room are likely to be shared.
	Shares() bool
	// Fell is called when messages that were stamped are given up, to be read from the history again.
	Fell()
}

// Stamp has s add to all that follows.
func (w *Writer) Stamp(s Stamper) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.more().stamper = s
	w.traits |= stamps
}

// altered is what this connection is sent of a batch from one message on.
func (w *Writer) altered(b *frame.Batch, from int) (*frame.Batch, int) {
	if w.traits&tapped != 0 {
		w.showFrom(b, from)
	}
	b = w.wireForm(b)
	if w.traits&stamps != 0 {
		b, from = w.slow().stamper.Stamp(b, from)
	}
	return b, from
}

// shares reports whether the connection is sent the messages of a batch as they are. It may be wrong if it says no.
func (w *Writer) shares(b *frame.Batch, from int) bool {
	if w.traits&(deflates|tapped) != 0 || !w.slow().stamper.Shares() {
		return false
	}
	own, _ := w.slow().stamper.Stamp(b, from)
	return own == b
}

// mayFall reports whether a room's messages may be given up to be read again. What has been stamped tells of messages that
// were stamped before: if those of several rooms depend on each other, none can be sent later.
func (w *Writer) mayFall() bool { return w.traits&stamps == 0 || w.slow().stamper.Shares() }
