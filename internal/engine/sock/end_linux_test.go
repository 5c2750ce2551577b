package sock_test

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/sock"
)

func TestClose(t *testing.T) {
	fd, _, peer := pair(t)
	own, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	if err := sock.Close(own); err != nil {
		t.Error(err)
	}
	if err := sock.Close(own); !errors.Is(err, syscall.EBADF) {
		t.Errorf("closed twice: %v", err)
	}
	if n, err := sock.Send(fd, []byte("x")); n != 1 || err != nil {
		t.Errorf("the other descriptor of the socket took %d bytes, %v", n, err)
	}
	if _, err := peer.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// TestEndSending: what was sent before arrives, though the socket is closed with something unread in it.
func TestEndSending(t *testing.T) {
	fd, conn, peer := pair(t)
	if _, err := peer.Write([]byte("unread")); err != nil {
		t.Fatal(err)
	}
	if _, err := sock.SendLast(fd, []byte("bye")); err != nil {
		t.Fatal(err)
	}
	if err := sock.EndSending(fd); err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	buf := make([]byte, 3)
	if _, err := io.ReadFull(peer, buf); err != nil || string(buf) != "bye" {
		t.Errorf("%q, %v", buf, err)
	}
	if err := sock.EndSending(-1); !errors.Is(err, syscall.EBADF) {
		t.Errorf("no socket: %v", err)
	}
}

func TestNoDelay(t *testing.T) {
	fd, conn, _ := pair(t)
	if err := conn.SetNoDelay(false); err != nil {
		t.Fatal(err)
	}
	if err := sock.NoDelay(fd); err != nil {
		t.Error(err)
	}
	if on, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY); on == 0 || err != nil {
		t.Errorf("TCP_NODELAY = %d, %v", on, err)
	}
	if err := sock.NoDelay(-1); !errors.Is(err, syscall.EBADF) {
		t.Errorf("no socket: %v", err)
	}
}

func TestControl(t *testing.T) {
	fd, _, peer := pair(t)
	set, err := sock.NewSet()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = set.Close() }()
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: 7, Pad: 8}
	if err := sock.Control(set.FD, syscall.EPOLL_CTL_MOD, fd, &ev); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a socket that is not in the set: %v", err)
	}
	if err := sock.Control(set.FD, syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	events := make([]syscall.EpollEvent, 2)
	if n, err := set.Wait(events); n != 1 || err != nil || events[0] != ev {
		t.Errorf("%d events %v, %v", n, events[:n], err)
	}
}
