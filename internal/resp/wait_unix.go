//go:build unix

package resp

import (
	"io"
	"net"
	"syscall"
)

// waiter reads from a TCP connection below net.Conn, where it can be seen whether there is something to read.
type waiter struct {
	raw  syscall.RawConn // nil: the connection is not one of plain TCP
	try  func(fd uintptr) bool
	into []byte
	idle func()
	n    int
	err  error
}

func (w *waiter) init(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	w.raw, w.try = raw, w.read
}

func (w *waiter) fill(r *Reader, idle func()) error {
	if w.raw == nil {
		idle()
		return r.Fill()
	}
	w.into, w.idle, w.n, w.err = r.room(), idle, 0, nil
	if err := w.raw.Read(w.try); err != nil {
		return err
	}
	return r.took(w.n, w.err)
}

// read tells whether there is an end of waiting.
func (w *waiter) read(fd uintptr) bool {
	for {
		w.n, w.err = syscall.Read(int(fd), w.into)
		switch w.err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			w.idle()
			return false
		case nil:
			if w.n == 0 {
				w.err = io.EOF
			}
			return true
		default:
			return true
		}
	}
}
