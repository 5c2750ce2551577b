package wire

import (
	"net"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// SendOne sends one whole frame that is a message. wire may be reused after the call.
func (w *Writer) SendOne(wire []byte) error { return w.sendWhole(wire, 1) }

// SendControl is SendOne for what is no message: a control frame, or the answer to a handshake.
func (w *Writer) SendControl(wire []byte) error { return w.sendWhole(wire, 0) }

func (w *Writer) sendWhole(wire []byte, messages uint64) error {
	w.mu.Lock()
	if w.state != open {
		w.mu.Unlock()
		return net.ErrClosed
	}
	if w.traits&(stamps|tapped) != 0 {
		wire = w.alteredOne(wire)
	}
	return w.sendOne(wire, messages)
}

// Finish sends a close frame; nothing is sent after it. It does nothing if the Writer was finished
// before or has failed.
func (w *Writer) Finish(closeFrame []byte) {
	w.lock()
	w.finish(closeFrame, 0)
}

// finish is called with mu held and releases it.
func (w *Writer) finish(closeFrame []byte, how traits) {
	if w.state >= finishing {
		w.mu.Unlock()
		return
	}
	w.state = finishing
	w.traits |= how
	if w.traits&tapped != 0 {
		w.show(closeFrame)
	}
	_ = w.sendOne(closeFrame, 0) // the owner hears of a failure
}

// FinishLast is Finish for a caller that ends the sending side or closes the Writer next. The close frame and that end
// then take one packet. If neither follows, the kernel sends the frame after 200 ms.
func (w *Writer) FinishLast(closeFrame []byte) {
	w.lock()
	w.finish(closeFrame, last)
}

// sendOne sends a frame that is a message, or none. It is called with mu held and releases it.
func (w *Writer) sendOne(wire []byte, messages uint64) error {
	n := 0
	if q := w.backlog(); q != nil && q.gathers && w.gather(wire) {
		w.messages += messages
		w.mu.Unlock()
		return nil
	}
	if w.backlog() == nil {
		var err error
		if n, err = w.writeNow(wire); err != nil {
			w.fail(err)
			return err
		}
		if n == len(wire) {
			w.messages += messages
			w.mu.Unlock()
			return nil
		}
	}
	return w.queueOne(wire[n:], n > 0, messages == 0)
}

// queueOne queues what is left of a frame. It is called with mu held and releases it. Apart from sendOne it keeps off the
// stack what most frames do not need.
func (w *Writer) queueOne(rest []byte, begun, silent bool) error {
	it := itemAt(frame.Single(append([]byte(nil), rest...)), 0)
	it.rest, it.silent = begun, silent
	switch {
	case w.backlog() == nil:
		w.begin(it)
	case w.state == finishing:
		w.backlog().push(it) // the last one always has a place
	case !w.force(&it):
		w.overflow()
		return ErrOverflow
	}
	w.unlock()
	return nil
}
