package wire

import "github.com/gohubkit/hubkit/internal/engine/frame"

// Hold begins a Send whose system call is the caller's: data to the socket fd, without blocking. Until Settle, which
// must follow at once, the Writer is locked; but a caller may hold many, since Hold waits for none. ok is false if
// this one is busy, has a backlog, reads on from a history, compresses, or is at its end: then Send is the way, without
// any held.
func (w *Writer) Hold(b *frame.Batch, from int) (fd int, data []byte, ok bool) {
	if !w.mu.TryLock() {
		return -1, nil, false
	}
	if w.state != open || w.backlog() != nil || w.lagging || !w.direct() || w.traits&alters != 0 && !w.shares(b, from) {
		w.mu.Unlock()
		return -1, nil, false
	}
	return int(w.fd), b.Wire(from), true
}

// Settle ends what Hold began: the socket took n bytes. It reports what Send would. If the socket took nothing,
// nothing has been sent or queued, and it is for Send to find out why; the owner is never called from here.
func (w *Writer) Settle(b *frame.Batch, from, n int) (sent int, retained bool) {
	defer w.mu.Unlock()
	w.count(n)
	switch n {
	case 0:
		return 0, false
	case len(b.Wire(from)):
		return w.told(b, from, b.Len()), false
	}
	return w.rest(b, from, n), true
}
