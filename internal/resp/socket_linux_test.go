package resp

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// pair returns both ends of a TCP connection, one of them as a stream.
func pair(t *testing.T) (*socket, net.Conn) {
	t.Helper()
	if runtime.GOMAXPROCS(0) == 1 {
		t.Cleanup(func() { runtime.GOMAXPROCS(1) })
		runtime.GOMAXPROCS(2)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s, ok := listen(conn, time.Second).(*socket)
	if !ok {
		t.Fatal("TCP is no socket")
	}
	t.Cleanup(func() {
		_ = s.Close()
		_ = other.Close()
	})
	return s, other
}

// inSystem tells how the reader of s waits.
func (s *socket) inSystem() bool {
	s.use.RLock()
	defer s.use.RUnlock()
	return s.conn == nil
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// The reader goes into the system while bytes keep coming, comes back when they do not, and misses none either way;
// and all the while the other direction works.
func TestWaysOfWaiting(t *testing.T) {
	s, other := pair(t)
	var got atomic.Uint32
	ended := make(chan error, 1)
	go func() {
		r, last := make([]byte, 0, 64<<10), 0
		for {
			n, err := s.read(r[len(r):cap(r)], last, func() {})
			if err != nil {
				ended <- err
				return
			}
			last, r = n, r[:len(r)+n]
			for ; len(r) >= 4; r = r[4:] {
				if v := binary.BigEndian.Uint32(r); v != got.Load()+1 {
					ended <- errors.New("out of order")
					return
				}
				got.Add(1)
			}
			r = append(make([]byte, 0, 64<<10), r...)
		}
	}()
	sent := uint32(0)
	send := func() {
		sent++
		if _, err := other.Write(binary.BigEndian.AppendUint32(nil, sent)); err != nil {
			t.Fatal(err)
		}
	}
	answer := func() {
		for _, write := range []func([]byte) (int, error){s.Write, s.send} {
			if n, err := write([]byte("answer")); n != 6 || err != nil {
				t.Errorf("%d bytes written, %v", n, err)
			}
			if _, err := io.ReadFull(other, make([]byte, 6)); err != nil {
				t.Error(err)
			}
		}
	}
	for range 3 {
		eventually(t, "the reader to wait in the system", func() bool {
			send()
			return s.inSystem()
		})
		answer()
		for range 2_000 { // more than fits one read
			send()
		}
		eventually(t, "the reader to come back", func() bool { return !s.inSystem() })
		answer()
		eventually(t, "everything to arrive", func() bool { return got.Load() == sent })
	}
	eventually(t, "the reader to wait in the system", func() bool {
		send()
		return s.inSystem()
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the reader ended with %v, want ErrClosed", err)
	}
	for _, write := range []func([]byte) (int, error){s.Write, s.send} {
		if _, err := write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("written after Close: %v, want ErrClosed", err)
		}
	}
}

// send writes what there is room for, and does not wait for more.
func TestSendDoesNotWait(t *testing.T) {
	s, other := pair(t)
	much := make([]byte, 64<<20)
	sent := 0
	for {
		n, err := s.send(much[sent:])
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		sent += n
	}
	if sent == 0 || sent == len(much) {
		t.Fatalf("%d bytes sent of %d that nobody reads", sent, len(much))
	}
	if _, err := io.ReadFull(other, much[:sent]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "room to send", func() bool {
		n, err := s.send([]byte("x"))
		return n == 1 && err == nil
	})
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the connection to be an error", func() bool {
		_, err := s.send([]byte("x"))
		return err != nil && !errors.Is(err, net.ErrClosed)
	})
}

// The end of the connection is noticed in the system too.
func TestEndInSystem(t *testing.T) {
	s, other := pair(t)
	ended := make(chan error, 1)
	go func() {
		p := make([]byte, 64)
		for {
			if _, err := s.read(p, 0, func() {}); err != nil {
				ended <- err
				return
			}
		}
	}()
	eventually(t, "the reader to wait in the system", func() bool {
		if _, err := other.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		return s.inSystem()
	})
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("the reader ended with %v, want the end of the connection", err)
	}
}
