//go:build unix

package sock_test

import (
	"bytes"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/sock"
)

// pair is the two ends of a TCP connection, and the descriptor of the first.
func pair(t *testing.T) (fd int, a, b *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if a, err = l.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	b = c.(*net.TCPConn)
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	raw, err := a.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(n uintptr) { fd = int(n) }); err != nil {
		t.Fatal(err)
	}
	return fd, a, b
}

// arrived receives what comes next, which may take a moment.
func arrived(t *testing.T, fd int, p []byte) (int, error) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if n, err := sock.Recv(fd, p); !errors.Is(err, syscall.EAGAIN) {
			return n, err
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing came")
		}
	}
}

func TestRecv(t *testing.T) {
	fd, _, peer := pair(t)
	buf := make([]byte, 4)
	if n, err := sock.Recv(fd, buf); n != 0 || !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("%d bytes of nothing, %v", n, err)
	}
	for _, want := range []string{"one", "four"} {
		if _, err := peer.Write([]byte(want)); err != nil {
			t.Fatal(err)
		}
		if n, err := arrived(t, fd, buf); string(buf[:n]) != want || err != nil {
			t.Errorf("received %q, %v, want %q", buf[:n], err, want)
		}
	}
	_ = peer.Close()
	if n, err := arrived(t, fd, buf); n != 0 || err != nil {
		t.Errorf("after the end %d bytes, %v", n, err)
	}
}

func TestRecvFromReset(t *testing.T) {
	fd, _, peer := pair(t)
	_ = peer.SetLinger(0)
	_ = peer.Close()
	if n, err := arrived(t, fd, make([]byte, 4)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestSend(t *testing.T) {
	fd, _, peer := pair(t)
	var sent []byte
	for size := 1; ; size *= 2 {
		p := bytes.Repeat([]byte{byte(size % 251)}, size)
		n, err := sock.Send(fd, p)
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, p[:n]...)
		if n < len(p) { // full, which is no error
			break
		}
	}
	if n, err := sock.Send(fd, nil); n != 0 || err != nil {
		t.Errorf("%d of nothing, %v", n, err)
	}
	got := make([]byte, len(sent))
	for at := 0; at < len(got); {
		n, err := peer.Read(got[at:])
		if err != nil {
			t.Fatal(err)
		}
		at += n
	}
	if !bytes.Equal(got, sent) {
		t.Error("what came is not what was sent")
	}
	_ = peer.SetLinger(0)
	_ = peer.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := sock.Send(fd, []byte("x")); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("what is gone takes everything")
		}
	}
}
