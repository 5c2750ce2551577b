package resp

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// socket is a TCP connection whose reader waits in the system, on a thread of its own, and not in Go's poller: a
// wake-up there is three or four switches between threads, and with messages that come one by one those cost more
// than all that is done with a message.
type socket struct {
	fd     int
	closed atomic.Bool
	use    sync.RWMutex // held, for reading, by calls of the system
}

// detach takes plain TCP out of Go's poller. Other connections are returned as they are.
func detach(conn net.Conn, timeout time.Duration) (stream, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return &patient{conn, timeout}, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := new(socket)
	var failure error
	err = raw.Control(func(fd uintptr) {
		limit := syscall.NsecToTimeval(timeout.Nanoseconds())
		if failure = syscall.SetsockoptTimeval(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &limit); failure != nil {
			failure = os.NewSyscallError("setsockopt", failure)
			return
		}
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if s.fd, failure = syscall.Dup(int(fd)); failure != nil {
			failure = os.NewSyscallError("dup", failure)
			return
		}
		syscall.CloseOnExec(s.fd)
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		return nil, err
	}
	// The copy keeps the connection, without the poller.
	if err = tcp.Close(); err == nil {
		err = os.NewSyscallError("setnonblock", syscall.SetNonblock(s.fd, false))
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close wakes who reads or writes, and waits for them.
func (s *socket) Close() error {
	if s.closed.Swap(true) {
		return net.ErrClosed
	}
	_ = syscall.Shutdown(s.fd, syscall.SHUT_RDWR) // the other side may have done it
	s.use.Lock()
	defer s.use.Unlock()
	return os.NewSyscallError("close", syscall.Close(s.fd))
}

func (s *socket) Write(p []byte) (n int, err error) {
	s.use.RLock()
	defer s.use.RUnlock()
	for n < len(p) {
		if s.closed.Load() {
			return n, net.ErrClosed
		}
		m, err := syscall.Write(s.fd, p[n:])
		switch err {
		case nil:
			n += m
		case syscall.EINTR:
		case syscall.EAGAIN:
			return n, os.ErrDeadlineExceeded
		default:
			return n, s.failed("write", err)
		}
	}
	return n, nil
}

// much is how many bytes at once show that more may be there already.
const much = 2 << 10

// read reads once. It calls idle before it waits.
func (s *socket) read(p []byte, last int, idle func()) (int, error) {
	s.use.RLock()
	defer s.use.RUnlock()
	waits := last < much
	if waits {
		idle()
	}
	for {
		if s.closed.Load() {
			return 0, net.ErrClosed
		}
		var n int
		var err error
		if waits {
			n, err = syscall.Read(s.fd, p)
		} else {
			n, _, err = syscall.Recvfrom(s.fd, p, syscall.MSG_DONTWAIT)
		}
		switch {
		case err == nil && n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err == syscall.EAGAIN && !waits:
			waits = true
			idle()
		case err != syscall.EINTR:
			return 0, s.failed("read", err)
		}
	}
}

func (s *socket) failed(call string, err error) error {
	if s.closed.Load() {
		return net.ErrClosed
	}
	return os.NewSyscallError(call, err)
}
