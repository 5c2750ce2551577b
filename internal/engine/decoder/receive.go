package decoder

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/gohubkit/hubkit/internal/engine/sock"
)

// receiver reads from a TCP connection as its own Read does, deadlines included, for less: see package sock.
type receiver struct {
	raw  syscall.RawConn
	take func(fd uintptr) bool // made once

	into []byte
	n    int
	err  error
}

// attach leaves raw nil if the connection cannot be read from in this way.
func (r *receiver) attach(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok || !sock.Supported {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	r.raw = raw
	if r.take == nil {
		r.take = r.now
	}
}

func (r *receiver) detach() { r.raw = nil }

func (r *receiver) read(b []byte) (int, error) {
	r.into, r.n, r.err = b, 0, nil
	err := r.raw.Read(r.take)
	r.into = nil
	switch {
	case err != nil:
		return 0, err
	case r.err != nil:
		return 0, r.err
	case r.n == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// now returns false if there is nothing yet.
func (r *receiver) now(fd uintptr) bool {
	r.n, r.err = sock.Recv(int(fd), r.into)
	return !errors.Is(r.err, syscall.EAGAIN)
}
