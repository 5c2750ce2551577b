package wire

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/sock"
)

// slice is how much a write is given at once, so that the write timeout measures progress and not the length of the
// queue, and little is beyond recall.
const slice = 16 << 10

// flush writes the backlog until it is empty or the socket fails. It is the only writer while it runs:
// Send and Finish queue as long as there is a backlog.
func (w *Writer) flush() {
	var raw syscall.RawConn
	w.mu.Lock()
	if w.fd >= 0 {
		if sc, ok := w.conn.(syscall.Conn); ok {
			raw, _ = sc.SyscallConn()
		}
	}
	for {
		if w.state == closed {
			w.mu.Unlock()
			return
		}
		if w.backlog.empty() {
			w.backlog.change()
			w.backlog = nil
			w.mu.Unlock()
			return
		}
		n, err := 0, w.hurry()
		if err == nil {
			data := w.backlog.take(slice)
			w.mu.Unlock()
			n, err = w.writeSome(raw, data)
			w.mu.Lock()
		}
		if w.state == closed {
			w.mu.Unlock()
			return
		}
		w.took(n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if raw != nil && w.unhurried() {
				continue // it has been told so a moment too late
			}
			err = ErrTimeout
		}
		if err != nil {
			w.fail(err)
			return
		}
	}
}

// took counts what the socket has taken of what flush gave it.
func (w *Writer) took(n int) {
	plain, events, src := w.backlog.sent(n)
	if n > 0 {
		w.backlog.moved = time.Now()
	}
	if plain > 0 && src != nil {
		src.Account.Delivered.Add(int64(plain))
		w.delivered += int64(plain)
	}
	if events > 0 {
		src.Account.Events.Add(int64(events))
	}
}

// writeSome blocks until the socket has taken some of data, or until the deadline.
func (w *Writer) writeSome(raw syscall.RawConn, data []byte) (n int, err error) {
	if raw == nil {
		return w.conn.Write(data)
	}
	var werr error
	err = raw.Write(func(fd uintptr) bool {
		n, werr = sock.Send(int(fd), data)
		return n > 0 || werr != nil
	})
	if err == nil {
		err = werr
	}
	return n, err
}
