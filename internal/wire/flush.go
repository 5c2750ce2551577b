package wire

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// slice is how much a blocking write is given at once, so that the write timeout measures progress and
// not the length of the queue.
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
			w.backlog.end()
			w.backlog = nil
			w.mu.Unlock()
			return
		}
		data := w.backlog.head()
		w.mu.Unlock()

		n, err := w.writeSome(raw, data)

		w.mu.Lock()
		if w.state == closed {
			w.mu.Unlock()
			return
		}
		if n > 0 {
			w.conf.Counters.Delivered.Add(int64(w.backlog.sent(n)))
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = ErrTimeout
			}
			w.fail(err)
			return
		}
	}
}

// writeSome blocks until the socket has taken some of data, or for the write timeout.
func (w *Writer) writeSome(raw syscall.RawConn, data []byte) (n int, err error) {
	if err := w.conn.SetWriteDeadline(time.Now().Add(w.conf.Timeout)); err != nil {
		return 0, err
	}
	if raw == nil {
		return w.conn.Write(data[:min(len(data), slice)])
	}
	var werr error
	err = raw.Write(func(fd uintptr) bool {
		n, werr = writeFD(int(fd), data)
		return n > 0 || werr != nil
	})
	if err == nil {
		err = werr
	}
	return n, err
}
