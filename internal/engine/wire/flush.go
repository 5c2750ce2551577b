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
	w.mu.Lock()
	err := ErrCrashed // the connection may be the application's own, which can do anything in Write
	defer func() {
		if err != nil {
			w.fail(err)
		} else {
			w.mu.Unlock()
		}
	}()
	err = w.flushLocked()
}

// flushLocked is called with mu held.
func (w *Writer) flushLocked() error {
	var raw syscall.RawConn
	if w.direct() {
		if sc, ok := w.conn.(syscall.Conn); ok {
			raw, _ = sc.SyscallConn()
		}
	}
	for w.state != closed {
		q := w.backlog()
		if q.empty() {
			q.change()
			w.setBacklog(nil)
			return nil
		}
		n, err := 0, w.hurry()
		if err == nil {
			n, err = w.writeUnlocked(raw, q.take(slice))
		}
		if w.state == closed {
			return nil
		}
		w.took(n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if raw != nil && w.unhurried() {
				continue // it has been told so a moment too late
			}
			err = ErrTimeout
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeUnlocked is writeSome for a caller that holds mu, which is free meanwhile.
func (w *Writer) writeUnlocked(raw syscall.RawConn, data []byte) (int, error) {
	w.mu.Unlock()
	defer w.mu.Lock()
	return w.writeSome(raw, data)
}

// took counts what the socket has taken of what flush gave it.
func (w *Writer) took(n int) {
	w.count(n)
	q := w.backlog()
	messages, plain, events, src := q.sent(n)
	w.messages += uint64(messages)
	if n > 0 {
		q.moved = time.Now()
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
