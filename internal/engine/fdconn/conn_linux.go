package fdconn

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/sock"
)

// Conn is a net.Conn. One goroutine at a time may read from it, and one may write; all else may be called by any.
type Conn struct {
	state state
	more  atomic.Pointer[more] // what few have
	port  uint16               // of the other end, as is
	ip4   [4]byte              // unless more has an address
}

// more is kept apart to keep Conn small.
type more struct {
	file atomic.Pointer[file] // nil until somebody has had to wait, and once the Conn is closed
	ip6  netip.Addr           // the zero Addr if the other end has an IPv4 address; never changed
}

// file is what a Conn has in the runtime's poller.
type file struct {
	*os.File
	raw  syscall.RawConn
	take func(fd uintptr) bool // made once, for every Read

	// The reader's own.
	into []byte
	n    int
	err  error
}

var (
	_ net.Conn     = (*Conn)(nil)
	_ syscall.Conn = (*Conn)(nil)
)

// New makes a Conn of a connected TCP socket, which must be one that does not block. It owns fd.
func New(fd int, remote netip.AddrPort) *Conn {
	c := &Conn{port: remote.Port()}
	c.state.init(fd)
	if ip := remote.Addr(); ip.Is4() {
		c.ip4 = ip.As4()
	} else {
		c.more.Store(&more{ip6: ip})
	}
	return c
}

// file is what c has in the runtime's poller. It is nil if nobody has had to wait, and once c is closed.
func (c *Conn) file() *file {
	if m := c.more.Load(); m != nil {
		return m.file.Load()
	}
	return nil
}

// Descriptor returns the socket, which is valid until c is closed. ok is false if it is.
func (c *Conn) Descriptor() (fd int, ok bool) { return c.state.peek() }

// Take ends c and returns its socket, which the caller then owns. ok is false if c is closed, or if somebody has had to wait
// for it: then it has to be closed. Take blocks until the calls that use the socket are over.
func (c *Conn) Take() (fd int, ok bool) { return c.state.end(polled) }

// Send sends what the socket takes of p now; nothing, without an error, if it is full.
func (c *Conn) Send(p []byte) (int, error) {
	fd, ok := c.state.hold()
	if !ok {
		return 0, net.ErrClosed
	}
	n, err := sock.Send(fd, p)
	c.state.release()
	return n, err
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	f := c.file()
	if f == nil {
		var n int
		var err error
		if n, f, err = c.recv(p); f == nil {
			return received(n, err)
		}
	}
	f.into, f.n, f.err = p, 0, nil
	err := f.raw.Read(f.take)
	f.into = nil
	if err != nil {
		return 0, c.failed(err)
	}
	return received(f.n, f.err)
}

// recv receives what is there now. If there is nothing yet, it returns c's place in the runtime's poller.
func (c *Conn) recv(p []byte) (n int, f *file, err error) {
	fd, ok := c.state.hold()
	if !ok {
		return 0, nil, net.ErrClosed
	}
	if n, err = sock.Recv(fd, p); errors.Is(err, syscall.EAGAIN) {
		f, err = c.wait(fd)
	}
	c.state.release()
	return n, f, err
}

func received(n int, err error) (int, error) {
	switch {
	case err == nil && n == 0:
		return 0, io.EOF
	case err != nil && !errors.Is(err, net.ErrClosed):
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("recv", err)}
	}
	return n, err
}

// now returns false if there is nothing yet.
func (f *file) now(fd uintptr) bool {
	f.n, f.err = sock.Recv(int(fd), f.into)
	return !errors.Is(f.err, syscall.EAGAIN)
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	n, err = c.Send(p)
	for n < len(p) && err == nil {
		var f *file
		if f, err = c.waiting(); err != nil {
			break
		}
		var sent int
		var failed error
		err = c.failed(f.raw.Write(func(fd uintptr) bool {
			sent, failed = sock.Send(int(fd), p[n:])
			return sent > 0 || failed != nil
		}))
		n += sent
		if err == nil {
			err = failed
		}
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		err = &net.OpError{Op: "write", Net: "tcp", Err: err}
	}
	return n, err
}

// waiting gives c its place in the runtime's poller.
func (c *Conn) waiting() (*file, error) {
	fd, ok := c.state.hold()
	if !ok {
		return nil, net.ErrClosed
	}
	f, err := c.wait(fd)
	c.state.release()
	return f, err
}

// wait is waiting for a call that holds c's socket, fd. From then on the file owns the socket. Calls that hold it may still
// use it: Close closes the file only after the last of them.
func (c *Conn) wait(fd int) (*file, error) {
	if f := c.file(); f != nil {
		return f, nil
	}
	rare.Lock()
	defer rare.Unlock()
	if f := c.file(); f != nil {
		return f, nil
	}
	if !c.state.poll() {
		return nil, net.ErrClosed
	}
	f := &file{File: os.NewFile(uintptr(fd), "tcp")}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("fdconn: %w", err) // f is closed, which it is not
	}
	f.raw, f.take = raw, f.now
	m := c.more.Load()
	if m == nil {
		m = new(more)
	}
	m.file.Store(f)
	c.more.Store(m)
	return f, nil
}

// failed makes of an error of c's file that of a net.Conn.
func (c *Conn) failed(err error) error {
	if err == nil {
		return nil
	}
	if _, open := c.Descriptor(); !open {
		return net.ErrClosed
	}
	return err
}

// Close implements net.Conn. A call that waits for c is woken. Close blocks until the calls that use the socket are over. No
// such call waits.
func (c *Conn) Close() error {
	fd, ok := c.state.end(0)
	if !ok {
		return net.ErrClosed
	}
	// Nobody holds the socket any more, so nobody gives c a file either.
	if m := c.more.Load(); m != nil {
		if f := m.file.Swap(nil); f != nil {
			return f.Close()
		}
	}
	return sock.Close(fd)
}

// CloseWrite ends what this side sends.
func (c *Conn) CloseWrite() error {
	return c.Use(func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_WR) })
}

// SetKeepAliveConfig sets the kernel's probes of silent connections; without it there are none.
func (c *Conn) SetKeepAliveConfig(k net.KeepAliveConfig) error {
	return c.Use(func(fd int) error {
		on := 0
		if k.Enable {
			on = 1
		}
		err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, on)
		for _, o := range []struct{ option, value int }{
			{syscall.TCP_KEEPIDLE, seconds(k.Idle)}, {syscall.TCP_KEEPINTVL, seconds(k.Interval)}, {syscall.TCP_KEEPCNT, k.Count},
		} {
			if err == nil && k.Enable && o.value > 0 {
				err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, o.option, o.value)
			}
		}
		return err
	})
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// Use calls f with the socket, which stays valid until f returns. The error of a Conn that is closed is net.ErrClosed. f must neither
// block nor use c.
func (c *Conn) Use(f func(fd int) error) error {
	fd, ok := c.state.hold()
	if !ok {
		return net.ErrClosed
	}
	defer c.state.release()
	return f(fd)
}

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr {
	ip := netip.AddrFrom4(c.ip4)
	if m := c.more.Load(); m != nil && m.ip6.IsValid() {
		ip = m.ip6
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, c.port))
}

// LocalAddr implements net.Conn. It is asked of the kernel, and nil once c is closed.
func (c *Conn) LocalAddr() net.Addr {
	var local netip.AddrPort
	err := c.Use(func(fd int) error {
		sa, err := syscall.Getsockname(fd)
		if err == nil {
			local = sock.Addr(sa)
		}
		return err
	})
	if err != nil {
		return nil
	}
	return net.TCPAddrFromAddrPort(local)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadline(t, (*os.File).SetDeadline)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(t, (*os.File).SetReadDeadline)
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(t, (*os.File).SetWriteDeadline)
}

// setDeadline does nothing if there is no deadline to set and has never been one.
func (c *Conn) setDeadline(t time.Time, set func(*os.File, time.Time) error) error {
	fd, ok := c.state.hold()
	if !ok {
		return net.ErrClosed
	}
	defer c.state.release()
	if t.IsZero() && c.file() == nil {
		return nil
	}
	f, err := c.wait(fd)
	if err != nil {
		return err
	}
	return set(f.File, t)
}
