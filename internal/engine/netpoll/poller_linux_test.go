package netpoll

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// rig is a poller whose events can be waited for, or seen not to have come.
type rig struct {
	*Poller
	events chan uint64
}

const probeToken = math.MaxUint64

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{events: make(chan uint64, 1000)}
	var err error
	if r.Poller, err = New(func(token uint64, _ bool) { r.events <- token }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func descriptor(t testing.TB, c net.Conn) int {
	t.Helper()
	fd, ok := Descriptor(c)
	if !ok {
		t.Fatal("no descriptor")
	}
	return fd
}

func (r *rig) add(t *testing.T, c net.Conn, token uint64) {
	t.Helper()
	if err := r.Add(descriptor(t, c), token); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) arm(t *testing.T, c net.Conn, token uint64) {
	t.Helper()
	if err := r.Arm(descriptor(t, c), token); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) expect(t *testing.T, token uint64) {
	t.Helper()
	if got := <-r.events; got != token {
		t.Fatalf("event %#x, want %#x", got, token)
	}
}

// silent checks that nothing is ready: the kernel lists what is ready in the order in which it became so,
// and the event made here is the only one that comes.
func (r *rig) silent(t *testing.T) {
	t.Helper()
	watched, probe := pair(t, "tcp")
	r.add(t, watched, probeToken)
	send(t, probe, "x")
	r.expect(t, probeToken)
}

func send(t testing.TB, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

func receive(t testing.TB, c net.Conn, n int) {
	t.Helper()
	if _, err := io.ReadFull(c, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

func TestOneEventUntilArmed(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			r := newRig(t)
			watched, peer := pair(t, network)
			r.add(t, watched, 1)
			r.silent(t)
			send(t, peer, "a")
			r.expect(t, 1)
			send(t, peer, "b")
			r.silent(t) // not armed
			r.arm(t, watched, 1)
			r.expect(t, 1) // something is there already
			receive(t, watched, 2)
			r.silent(t)
			r.arm(t, watched, 1)
			r.silent(t) // nothing is there
			send(t, peer, "c")
			r.expect(t, 1)
		})
	}
}

func TestHangUp(t *testing.T) {
	for _, tt := range []struct {
		name string
		hang func(*net.TCPConn) error
	}{
		{"close", (*net.TCPConn).Close},
		{"half close", (*net.TCPConn).CloseWrite},
		{"reset", func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			watched, peer := pair(t, "tcp")
			r.add(t, watched, 1)
			if err := tt.hang(peer.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			r.expect(t, 1)
			r.silent(t)
			r.arm(t, watched, 1)
			r.expect(t, 1)
		})
	}
}

func TestClosedSocketLeaves(t *testing.T) {
	r := newRig(t)
	watched, peer := pair(t, "tcp")
	r.add(t, watched, 1)
	fd := descriptor(t, watched)
	_ = watched.Close()
	if err := r.Arm(fd, 1); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Arm of a closed socket: %v, want EBADF", err)
	}
	_ = peer.Close()
	r.silent(t)
}

func TestTokens(t *testing.T) {
	r := newRig(t)
	for _, token := range []uint64{0, 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<63 | 1, math.MaxUint64, 0x0123456789abcdef} {
		watched, peer := pair(t, "tcp")
		send(t, peer, "x")
		r.add(t, watched, token)
		r.expect(t, token)
		r.arm(t, watched, ^token)
		r.expect(t, ^token)
	}
}

func TestAddTwice(t *testing.T) {
	r := newRig(t)
	watched, _ := pair(t, "tcp")
	r.add(t, watched, 1)
	if err := r.Add(descriptor(t, watched), 1); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("second Add: %v, want EEXIST", err)
	}
}

func TestManySockets(t *testing.T) {
	const n = 2*maxEvents + 10 // more than one wait takes
	r := newRig(t)
	for i := range uint64(n) {
		watched, peer := pair(t, "unix")
		send(t, peer, "x")
		r.add(t, watched, i)
	}
	seen := make([]bool, n)
	for range n {
		token := <-r.events
		if seen[token] {
			t.Fatalf("socket %d reported twice", token)
		}
		seen[token] = true
	}
	r.silent(t)
}

func TestClose(t *testing.T) {
	watched, peer := pair(t, "tcp")
	fd := descriptor(t, watched)
	entered, release := make(chan struct{}), make(chan struct{})
	var running atomic.Bool
	var first sync.Once
	p, err := New(func(uint64, bool) {
		running.Store(true)
		first.Do(func() { close(entered) }) // Arm below may cause a second event
		<-release
		running.Store(false)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(fd, 1); err != nil {
		t.Fatal(err)
	}
	send(t, peer, "x")
	<-entered
	second := make(chan error)
	go func() {
		// Until the poller is seen to be closed, this Close may be the first.
		for !errors.Is(p.Arm(fd, 1), net.ErrClosed) {
		}
		close(release)
		second <- p.Close()
	}()
	if err := p.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if running.Load() {
		t.Error("Close returned while the handler was running")
	}
	if err := <-second; !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v, want net.ErrClosed", err)
	}
	if err := p.Add(fd, 1); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Add after Close: %v, want net.ErrClosed", err)
	}
}

// TestCloseAgainstArm closes pollers while others use them. A poller opened meanwhile may get the same
// descriptor, and must not get the sockets.
func TestCloseAgainstArm(t *testing.T) {
	watched, peer := pair(t, "tcp")
	fd := descriptor(t, watched)
	send(t, peer, "x")
	for range 100 {
		p, err := New(func(uint64, bool) {})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Add(fd, 1); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for p.Arm(fd, 1) == nil {
				}
			})
		}
		_ = p.Close()
		other, err := New(func(token uint64, _ bool) { t.Errorf("event %d of another poller's socket", token) })
		if err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		_ = other.Close()
	}
}

func TestUnread(t *testing.T) {
	r := newRig(t)
	watched, peer := pair(t, "tcp")
	if Unread(watched) {
		t.Error("before anything was sent")
	}
	r.add(t, watched, 1)
	send(t, peer, "xy")
	r.expect(t, 1)
	if !Unread(tls.Server(watched, nil)) {
		t.Error("not seen below TLS")
	}
	for range 2 { // looking takes nothing away
		if !Unread(watched) {
			t.Fatal("not seen")
		}
		receive(t, watched, 1)
	}
	if Unread(watched) {
		t.Error("after everything was read")
	}
	_ = peer.Close()
	r.arm(t, watched, 1)
	r.expect(t, 1)
	if Unread(watched) {
		t.Error("the end of the stream is not data")
	}
	_ = watched.Close()
	if Unread(watched) {
		t.Error("without a socket")
	}
	a, b := net.Pipe()
	if Unread(a) {
		t.Error("what is no socket")
	}
	_, _ = a.Close(), b.Close()
}

// TestPingPong has many sockets answered by goroutines that exist only while there is something to read.
func TestPingPong(t *testing.T) {
	const sockets, rounds = 200, 20
	type conn struct {
		net.Conn
		fd   int
		busy atomic.Bool
	}
	conns := make([]*conn, sockets)
	peers := make([]net.Conn, sockets)
	for i := range conns {
		c, peer := pair(t, "tcp")
		conns[i], peers[i] = &conn{Conn: c, fd: descriptor(t, c)}, peer
	}
	var wg sync.WaitGroup
	var p *Poller
	started := make(chan struct{})
	p, err := New(func(token uint64, _ bool) {
		<-started
		c := conns[token]
		if !c.busy.CompareAndSwap(false, true) {
			t.Errorf("socket %d reported while it was not armed", token)
		}
		wg.Go(func() {
			var b [1]byte
			if _, err := io.ReadFull(c, b[:]); err != nil {
				t.Error(err)
				return
			}
			if _, err := c.Write(b[:]); err != nil {
				t.Error(err)
			}
			c.busy.Store(false)
			if err := p.Arm(c.fd, token); err != nil {
				t.Error(err)
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	close(started)
	for i, c := range conns {
		if err := p.Add(c.fd, uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	var clients sync.WaitGroup
	for _, peer := range peers {
		clients.Go(func() {
			for round := range rounds {
				sent, got := [1]byte{byte(round)}, [1]byte{}
				if _, err := peer.Write(sent[:]); err != nil {
					t.Error(err)
					return
				}
				if _, err := io.ReadFull(peer, got[:]); err != nil || got != sent {
					t.Error(fmt.Errorf("got %v, %w; want %v", got, err, sent))
					return
				}
			}
		})
	}
	clients.Wait()
	wg.Wait()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkArm(b *testing.B) {
	p, err := New(func(uint64, bool) {})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	watched, _ := pair(b, "tcp")
	fd := descriptor(b, watched)
	if err := p.Add(fd, 1); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Arm(fd, 1); err != nil {
			b.Fatal(err)
		}
	}
}
