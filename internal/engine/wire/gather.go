package wire

import (
	"sync"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// gatherMost is how many bytes gather at most.
const gatherMost = 4 << 10

// Gather has the frames that SendOne is given from now on wait for each other, and go out with one write: when Release is
// called, when they are 4 KiB, or when anything but SendOne is asked of the Writer. The caller must call Release before
// it waits for anything. It does nothing if something waits for the socket already.
func (w *Writer) Gather() {
	w.mu.Lock()
	if w.state == open && w.backlog() == nil {
		w.setBacklog(gatherings.Get().(*backlog)) //nolint:forcetypeassert // the pool's only type
	}
	w.mu.Unlock()
}

// Release ends what Gather began, and writes what has gathered.
func (w *Writer) Release() {
	w.lock()
	w.mu.Unlock()
}

// gatherings are backlogs without items and without a goroutine that writes them. A caller that finds a backlog may rely on
// both, but for SendOne: see lock.
var gatherings = sync.Pool{New: func() any { return &backlog{gathers: true} }}

// lock locks the Writer when all that has gathered is written.
func (w *Writer) lock() {
	w.mu.Lock()
	if q := w.backlog(); q != nil && q.gathers {
		w.release()
	}
}

// gather keeps a frame until others have come. It reports false, and nothing gathers any more, if there is no place for it. It is
// called with mu held.
func (w *Writer) gather(wire []byte) bool {
	q := w.backlog()
	if len(q.gathered)+len(wire) > gatherMost {
		w.release()
		return false
	}
	q.gathered = append(q.gathered, wire...)
	return true
}

// release is called with mu held.
func (w *Writer) release() {
	q := w.backlog()
	w.setBacklog(nil)
	if data := q.gathered; len(data) > 0 {
		n, err := w.writeNow(data)
		if err != nil || n < len(data) { // the goroutine that writes the rest finds an error again
			it := itemAt(frame.Single(append([]byte(nil), data[n:]...)), 0)
			it.rest, it.silent = n > 0, true // its messages were counted when they came
			w.begin(it)
		}
	}
	q.gathered = q.gathered[:0]
	gatherings.Put(q)
}
