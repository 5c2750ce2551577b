package fdconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/gohubkit/hubkit/internal/engine/sock"
)

// pair returns a Conn, accepted as a door does it, and the other side.
func pair(t *testing.T, network string) (*Conn, *net.TCPConn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "tcp6" {
		addr = "[::1]:0"
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	peer, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	var from netip.AddrPort
	if err := errors.Join(raw.Control(func(l uintptr) { fd, from, err = sock.Accept(int(l)) }), err); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(raw.Control(func(l uintptr) { _, _, err = sock.Accept(int(l)) }), err); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("Accept of nobody: %v", err)
	}
	c := New(fd, from)
	t.Cleanup(func() { _, _ = c.Close(), peer.Close() })
	return c, peer.(*net.TCPConn)
}

// waited reports whether c has a place in the runtime's poller.
func (c *Conn) waited() bool { return c.file() != nil }

func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 24 {
		t.Errorf("%d bytes", n)
	}
}

func TestAddresses(t *testing.T) {
	for _, network := range []string{"tcp", "tcp6"} {
		c, peer := pair(t, network)
		if got, want := c.RemoteAddr().String(), peer.LocalAddr().String(); got != want || c.RemoteAddr().Network() != "tcp" {
			t.Errorf("remote address %s, want %s", got, want)
		}
		if got, want := c.LocalAddr().String(), peer.RemoteAddr().String(); got != want {
			t.Errorf("local address %s, want %s", got, want)
		}
		_ = c.Close()
		if c.LocalAddr() != nil || c.RemoteAddr().String() != peer.LocalAddr().String() {
			t.Errorf("once closed %v, %v", c.LocalAddr(), c.RemoteAddr())
		}
	}
}

// TestWithoutWaiting: what can be done at once takes no place in the runtime's poller.
func TestWithoutWaiting(t *testing.T) {
	c, peer := pair(t, "tcp")
	_, _ = io.WriteString(peer, "hello")
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	await(t, "something to read", func() bool {
		n := 0
		err := raw.Control(func(fd uintptr) {
			n, _, _ = syscall.Recvfrom(int(fd), make([]byte, 9), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		})
		return n == 5 && err == nil
	})
	buf := make([]byte, 9)
	if n, err := c.Read(buf); string(buf[:n]) != "hello" || err != nil {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if n, err := c.Write([]byte("answer")); n != 6 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := errors.Join(c.SetDeadline(time.Time{}), c.SetReadDeadline(time.Time{}), c.CloseWrite()); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(peer); string(got) != "answer" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	_ = peer.Close()
	if n, err := c.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
	if c.waited() {
		t.Error("it has waited")
	}
}

// TestWaiting: a Conn waits as a net.Conn does, with deadlines, and Close wakes who waits.
func TestWaiting(t *testing.T) {
	c, peer := pair(t, "tcp")
	read := make(chan string)
	go func() {
		buf := make([]byte, 9)
		n, err := c.Read(buf)
		if err != nil {
			t.Error(err)
		}
		read <- string(buf[:n])
	}()
	await(t, "the reader", c.waited)
	_, _ = io.WriteString(peer, "late")
	if got := <-read; got != "late" {
		t.Errorf("%q", got)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	var timeout net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("after the deadline: %v", err)
	}
	_ = c.SetReadDeadline(time.Time{})

	_ = peer.SetReadBuffer(256 << 10)
	big := bytes.Repeat([]byte("x"), 16<<20) // more than the sockets hold
	wrote := make(chan error)
	go func() {
		_, err := c.Write(big)
		wrote <- err
	}()
	if _, err := io.ReadFull(peer, make([]byte, len(big))); err != nil {
		t.Error(err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	_ = c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := c.Write(big); n == len(big) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes, %v", n, err)
	}

	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read of a closed Conn: %v", err)
		}
	})
	time.Sleep(10 * time.Millisecond) // most times it waits by now; the error is the same
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

// TestClosed: all that is done with a closed Conn fails, and never reaches another socket.
func TestClosed(t *testing.T) {
	for _, waits := range []bool{false, true} {
		c, _ := pair(t, "tcp")
		if waits {
			_ = c.SetDeadline(time.Now().Add(time.Hour))
		}
		raw, err := c.SyscallConn()
		if err := errors.Join(err, c.Close()); err != nil {
			t.Fatal(err)
		}
		_, read := c.Read(make([]byte, 1))
		_, wrote := c.Write([]byte("x"))
		_, sent := c.Send([]byte("x"))
		_, again := c.SyscallConn()
		yes := func(uintptr) bool { return true }
		for what, err := range map[string]error{
			"Read": read, "Write": wrote, "Send": sent, "SyscallConn": again, "Close": c.Close(), "CloseWrite": c.CloseWrite(),
			"SetDeadline": c.SetDeadline(time.Time{}), "SetWriteDeadline": c.SetWriteDeadline(time.Now()),
			"SetKeepAliveConfig": c.SetKeepAliveConfig(net.KeepAliveConfig{}),
			"Control":            raw.Control(func(uintptr) {}), "raw Read": raw.Read(yes), "raw Write": raw.Write(yes),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, ok := c.Descriptor(); ok {
			t.Error("a descriptor")
		}
		if _, ok := c.Take(); ok {
			t.Error("taken")
		}
	}
}

func TestTake(t *testing.T) {
	c, peer := pair(t, "tcp")
	fd, ok := c.Take()
	if !ok {
		t.Fatal("not taken")
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
	c = New(fd, netip.AddrPort{})
	if _, err := c.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	_ = c.SetDeadline(time.Now().Add(time.Hour))
	if _, ok := c.Take(); ok {
		t.Error("taken from the runtime's poller")
	}
	_ = c.Close()
	if got, err := io.ReadAll(peer); string(got) != "x" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestKeepAlive(t *testing.T) {
	c, _ := pair(t, "tcp")
	for _, on := range []bool{true, false} {
		if err := c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: on, Idle: 15 * time.Second, Interval: 1500 * time.Millisecond, Count: 9}); err != nil {
			t.Error(err)
		}
		_ = c.Use(func(fd int) error {
			for _, o := range []struct{ level, option, want int }{
				{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, map[bool]int{true: 1}[on]},
				{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15}, {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 2}, {syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9},
			} {
				if v, err := syscall.GetsockoptInt(fd, o.level, o.option); v != o.want || err != nil {
					t.Errorf("option %d is %d, %v", o.option, v, err)
				}
			}
			return nil
		})
	}
}

// TestCloseAgainstAll closes while everything else goes on, for the race detector.
func TestCloseAgainstAll(t *testing.T) {
	for range 50 {
		c, peer := pair(t, "tcp")
		var wg sync.WaitGroup
		for _, f := range []func() error{
			func() error { _, err := c.Read(make([]byte, 10)); return err },
			func() error { _, err := c.Write([]byte("x")); return err },
			func() error { return c.SetReadDeadline(time.Now().Add(time.Hour)) },
			func() error { return c.Use(func(int) error { return nil }) },
			func() error { c.LocalAddr(); _, err := peer.Write([]byte("y")); return err },
		} {
			wg.Go(func() {
				for f() == nil {
				}
			})
		}
		_ = c.Close()
		_ = peer.Close()
		wg.Wait()
	}
}

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}
