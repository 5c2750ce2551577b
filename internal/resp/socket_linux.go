package resp

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// socket is a TCP connection whose reader has two ways to wait.
//
// Go's poller is one: a wake-up there is three or four switches between threads, and with messages that come one
// by one those cost more than all that is done with a message. So where the next bytes come soon, again and again,
// the reader waits in the system, which is one switch. It keeps a P meanwhile, which others may want, and therefore
// does so for a moment only, and never where there is but one.
type socket struct {
	timeout time.Duration
	brisk   int // waits in a row that were short
	closed  atomic.Bool

	use  sync.RWMutex // held, for reading, by who reads or writes; else by who changes what follows
	conn *net.TCPConn // nil while the reader waits in the system
	fd   int          // that of conn, or our own while conn is nil
}

const (
	// patience is how long the reader waits in the system: no longer than is worth the thread.
	patience = 2 * time.Millisecond
	// enough is how many waits shorter than that there must have been.
	enough = 32
	// much is how many bytes at once show that more may be there already.
	much = 2 << 10
)

// listen makes a stream of a connection that is used by nobody else.
func listen(conn net.Conn, timeout time.Duration) stream {
	tcp, ok := conn.(*net.TCPConn)
	if !ok || runtime.GOMAXPROCS(0) == 1 {
		return &patient{conn, timeout}
	}
	fd, err := descriptor(tcp)
	if err != nil {
		return &patient{conn, timeout}
	}
	return &socket{conn: tcp, fd: fd, timeout: timeout}
}

// descriptor is good for as long as conn is open.
func descriptor(conn *net.TCPConn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	err = raw.Control(func(n uintptr) { fd = int(n) })
	return fd, err
}

// Close wakes who reads or writes, and waits for them.
func (s *socket) Close() error {
	if s.closed.Swap(true) {
		return net.ErrClosed
	}
	s.use.RLock()
	if s.conn == nil {
		_ = syscall.Shutdown(s.fd, syscall.SHUT_RDWR) // the other side may have done it
	} else {
		_ = s.conn.CloseRead()
		_ = s.conn.CloseWrite()
	}
	s.use.RUnlock()
	s.use.Lock()
	defer s.use.Unlock()
	if s.conn == nil {
		return os.NewSyscallError("close", syscall.Close(s.fd))
	}
	return s.conn.Close()
}

func (s *socket) Write(p []byte) (n int, err error) {
	s.use.RLock()
	defer s.use.RUnlock()
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	if s.conn != nil {
		n, err = (&patient{s.conn, s.timeout}).Write(p)
		return n, s.failed(err)
	}
	for n < len(p) {
		m, err := syscall.Write(s.fd, p[n:])
		switch {
		case err == nil:
			n += m
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return n, os.ErrDeadlineExceeded
		default:
			return n, s.failed(os.NewSyscallError("write", err))
		}
	}
	return n, nil
}

// send does not wait, whichever way the reader waits. Close waits for it, so the descriptor is ours.
func (s *socket) send(p []byte) (int, error) {
	s.use.RLock()
	defer s.use.RUnlock()
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	for len(p) > 0 {
		n, err := syscall.SendmsgN(s.fd, p, nil, nil, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		default:
			return 0, s.failed(os.NewSyscallError("sendmsg", err))
		}
	}
	return 0, nil
}

func (s *socket) read(p []byte, last int, idle func()) (n int, err error) {
	s.use.RLock()
	defer s.use.RUnlock()
	if s.conn == nil && last >= much {
		n, _, err = syscall.Recvfrom(s.fd, p, syscall.MSG_DONTWAIT)
		if err == nil {
			return s.got(n)
		}
	}
	idle()
	for !s.closed.Load() {
		if s.conn != nil {
			if n, err = s.poll(p); err != nil || n > 0 {
				return n, s.failed(err)
			}
			continue
		}
		n, err = syscall.Read(s.fd, p)
		switch {
		case err == nil:
			return s.got(n)
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN): // patience is at its end
			if err := s.exchange(s.attach); err != nil {
				return 0, err
			}
		default:
			return 0, s.failed(os.NewSyscallError("read", err))
		}
	}
	return 0, net.ErrClosed
}

// poll reads by Go's poller. It reads nothing, without an error, when it is time to wait in the system.
func (s *socket) poll(p []byte) (n int, err error) {
	if s.brisk >= enough {
		s.brisk = 0
		if err := s.exchange(s.detach); err != nil || s.conn == nil {
			return 0, err
		}
	}
	begin := time.Now()
	n, err = s.conn.Read(p)
	if s.brisk++; time.Since(begin) > patience {
		s.brisk = 0
	}
	return n, err
}

func (s *socket) got(n int) (int, error) {
	if n == 0 {
		return 0, s.failed(io.EOF)
	}
	return n, nil
}

// failed is the error of a call: the end of who was closed is no fault.
func (s *socket) failed(err error) error {
	if err != nil && s.closed.Load() {
		return net.ErrClosed
	}
	return err
}

// exchange changes the way of waiting, unless the connection is being written to or closed. Only the reader, who
// holds use, does that.
func (s *socket) exchange(change func() error) error {
	s.use.RUnlock()
	defer s.use.RLock()
	if !s.use.TryLock() {
		return nil // another time
	}
	defer s.use.Unlock()
	if s.closed.Load() {
		return nil
	}
	return change()
}

// detach takes the connection out of Go's poller: a copy of the descriptor keeps it.
func (s *socket) detach() error {
	syscall.ForkLock.RLock()
	fd, err := syscall.Dup(s.fd)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return os.NewSyscallError("dup", err)
	}
	_ = s.conn.Close()
	s.conn, s.fd = nil, fd
	receive, send := syscall.NsecToTimeval(patience.Nanoseconds()), syscall.NsecToTimeval(max(s.timeout, time.Microsecond).Nanoseconds())
	if err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &receive); err == nil {
		err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &send)
	}
	if err == nil {
		err = syscall.SetNonblock(fd, false)
	}
	return os.NewSyscallError("setsockopt", err)
}

// attach gives the connection back to Go's poller.
func (s *socket) attach() error {
	if err := syscall.SetNonblock(s.fd, true); err != nil {
		return os.NewSyscallError("setnonblock", err)
	}
	file := os.NewFile(uintptr(s.fd), "redis")
	conn, err := net.FileConn(file)
	_ = file.Close() // conn has a copy
	s.fd = -1
	if err != nil {
		return err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		_ = conn.Close()
		return net.ErrClosed
	}
	s.conn = tcp
	s.fd, err = descriptor(tcp)
	return err
}
