package fdconn

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/sock"
)

// sockets returns the two ends of a stream; neither blocks.
func sockets(t testing.TB) [2]int {
	t.Helper()
	p, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func socketpair() ([2]int, error) {
	return syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
}

// inode says which file a descriptor is; 0 if none.
func inode(fd int) uint64 {
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Ino
}

// atEnd reports whether all that was sent to fd can be read, and that nothing more comes: every descriptor of the other end is
// closed.
func atEnd(fd int) bool {
	for buf := make([]byte, 512); ; {
		n, err := sock.Recv(fd, buf)
		if n == 0 || err != nil {
			return n == 0 && err == nil || errors.Is(err, syscall.ECONNRESET)
		}
	}
}

// inUse runs end while a call holds the socket of c, and returns once end is over. end must end c.
func inUse(t *testing.T, c *Conn, end func()) {
	t.Helper()
	using, leave := make(chan struct{}), make(chan struct{})
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		err := c.Use(func(fd int) error {
			socket := inode(fd)
			close(using)
			<-leave
			if over.Load() || inode(fd) != socket {
				t.Error("the socket is gone while it is used")
			}
			return io.EOF
		})
		if err != io.EOF {
			t.Errorf("Use: %v", err)
		}
	})
	<-using
	wg.Go(func() {
		end()
		over.Store(true)
	})
	for {
		if _, ok := c.Descriptor(); !ok {
			break
		}
		runtime.Gosched()
	}
	for range 100 { // an end that does not wait would be over
		runtime.Gosched()
	}
	if _, err := c.Send([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send: %v", err)
	}
	if err := c.SetDeadline(time.Now().Add(time.Hour)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetDeadline: %v", err)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	if _, ok := c.Take(); ok {
		t.Error("taken too")
	}
	close(leave)
	wg.Wait()
}

// TestCloseInUse: Close closes the socket once no call uses it, and wakes the call that waits.
func TestCloseInUse(t *testing.T) {
	for _, waits := range []bool{false, true} {
		p := sockets(t)
		c := New(p[0], netip.AddrPort{})
		var wg sync.WaitGroup
		if waits {
			wg.Go(func() {
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Read: %v", err)
				}
			})
			await(t, "the reader", c.waited)
		}
		inUse(t, c, func() {
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		wg.Wait()
		if !atEnd(p[1]) {
			t.Error("the socket is open")
		}
		if c.waited() {
			t.Error("a closed Conn keeps its place in the runtime's poller")
		}
		_ = sock.Close(p[1])
	}
}

// TestTakeInUse: Take returns the socket once no call uses it.
func TestTakeInUse(t *testing.T) {
	p := sockets(t)
	c := New(p[0], netip.AddrPort{})
	inUse(t, c, func() {
		if fd, ok := c.Take(); fd != p[0] || !ok {
			t.Errorf("Take: %d, %v", fd, ok)
		}
	})
	if n, err := sock.Send(p[0], []byte("x")); n != 1 || err != nil {
		t.Errorf("the socket that was taken: %d, %v", n, err)
	}
	_, _ = sock.Close(p[0]), sock.Close(p[1])
}

// TestUsePanics: a function that panics does not hold the socket for ever.
func TestUsePanics(t *testing.T) {
	p := sockets(t)
	c := New(p[0], netip.AddrPort{})
	func() {
		defer func() { _ = recover() }()
		_ = c.Use(func(int) error { panic("on purpose") })
	}()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	_ = sock.Close(p[1])
}

// thief opens sockets all the time, which get the numbers of those that were just closed. It fails the test if somebody sends to
// them or closes them. The function that it returns ends it.
func thief(t *testing.T) (stop func()) {
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !done.Load() {
			var own [4][2]int
			var inodes [len(own)][2]uint64
			for i := range own {
				p, err := socketpair()
				if err != nil {
					t.Error(err)
					return
				}
				own[i] = p
				inodes[i] = [2]uint64{inode(own[i][0]), inode(own[i][1])}
			}
			runtime.Gosched()
			for i, p := range own {
				for j, fd := range p {
					var buf [8]byte
					if n, err := sock.Recv(fd, buf[:]); !errors.Is(err, syscall.EAGAIN) {
						t.Errorf("another socket received %q, %v", buf[:n], err)
					}
					if inode(fd) != inodes[i][j] {
						t.Error("another socket's number has changed hands")
					}
				}
				if err := errors.Join(sock.Close(p[0]), sock.Close(p[1])); err != nil {
					t.Errorf("another socket is closed: %v", err)
				}
			}
		}
	})
	return func() {
		done.Store(true)
		wg.Wait()
	}
}

// TestEndOnce ends Conns in several ways at once, while calls use them and others get the numbers of their sockets. One way
// succeeds. Then the socket is closed, or taken and its taker's alone.
func TestEndOnce(t *testing.T) {
	defer thief(t)()
	remote := netip.MustParseAddrPort("[2001:db8::1]:80")
	for round := range 240 {
		p := sockets(t)
		socket := inode(p[0])
		c := New(p[0], remote)
		reads, late, takes := round%3 == 1, round%3 == 2, round%2 == 0
		var uses, calls, ends atomic.Int32
		var taken atomic.Bool
		var wg sync.WaitGroup
		for _, f := range []func() error{
			func() error { _, err := c.Send([]byte("x")); return err },
			func() error {
				return c.Use(func(fd int) error {
					uses.Add(1)
					defer uses.Add(-1)
					if inode(fd) != socket {
						t.Error("Use of another socket")
					}
					runtime.Gosched()
					if inode(fd) != socket {
						t.Error("the socket is gone while it is used")
					}
					return nil
				})
			},
			func() error { // gives it a file at once, late or never
				if reads {
					_, err := c.Read(make([]byte, 9))
					return err
				}
				if late && calls.Load() >= 20 {
					return c.SetWriteDeadline(time.Now().Add(time.Hour))
				}
				return c.SetReadDeadline(time.Time{})
			},
			func() error {
				if c.LocalAddr(); c.RemoteAddr().String() != remote.String() {
					t.Errorf("remote address %v", c.RemoteAddr())
				}
				if fd, ok := c.Descriptor(); !ok {
					return net.ErrClosed
				} else if fd != p[0] {
					t.Errorf("descriptor %d, want %d", fd, p[0])
				}
				return nil
			},
		} {
			wg.Go(func() {
				var err error
				for ; err == nil; calls.Add(1) {
					err = f()
				}
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("a call once it has ended: %v", err)
				}
			})
		}
		for calls.Load() < 20 {
			runtime.Gosched()
		}
		for i := range 3 {
			wg.Go(func() {
				if i > 0 && takes {
					fd, ok := c.Take()
					if !ok {
						return
					}
					if uses.Load() != 0 || inode(fd) != socket {
						t.Error("taken while it is used")
					}
					taken.Store(true)
					if c.waited() {
						t.Error("taken from the runtime's poller")
					}
				} else if err := c.Close(); errors.Is(err, net.ErrClosed) {
					return
				} else if err != nil {
					t.Errorf("Close: %v", err)
				}
				if uses.Load() != 0 {
					t.Error("ended while it is used")
				}
				ends.Add(1)
			})
		}
		wg.Wait()
		if ends.Load() != 1 {
			t.Errorf("it ended %d times", ends.Load())
		}
		if taken.Load() {
			if inode(p[0]) != socket {
				t.Error("what was taken is another socket")
			} else if err := sock.Close(p[0]); err != nil {
				t.Error(err)
			}
		}
		if !atEnd(p[1]) {
			t.Error("the socket is open")
		}
		_ = sock.Close(p[1])
	}
}

// BenchmarkCalls is what holding the socket costs: Use of nothing, and a Send that the socket refuses at once.
func BenchmarkCalls(b *testing.B) {
	p := sockets(b)
	c := New(p[0], netip.AddrPort{})
	defer func() { _, _ = c.Close(), sock.Close(p[1]) }()
	full := make([]byte, 64<<10)
	for n := 1; n > 0; {
		n, _ = c.Send(full)
	}
	for _, call := range []struct {
		name string
		f    func()
	}{
		{"Use", func() { _ = c.Use(func(int) error { return nil }) }},
		{"Send", func() { _, _ = c.Send(full[:1]) }},
		{"Descriptor", func() { _, _ = c.Descriptor() }},
		{"RemoteAddr", func() { _ = c.RemoteAddr() }},
	} {
		b.Run(call.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call.f()
			}
		})
	}
}
