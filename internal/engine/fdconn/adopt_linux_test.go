package fdconn

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// accepted returns a connection as package net accepts it, and the other side.
func accepted(t *testing.T, network, addr, dial string) (conn net.Conn, peer *net.TCPConn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p, err := net.Dial("tcp", net.JoinHostPort(dial, strconv.Itoa(l.Addr().(*net.TCPAddr).Port)))
	if err != nil {
		t.Fatal(err)
	}
	if conn, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), p.Close() })
	return conn, p.(*net.TCPConn)
}

func TestAdopt(t *testing.T) {
	for _, tt := range []struct{ name, network, addr, dial string }{
		{"IPv4", "tcp4", "127.0.0.1:0", "127.0.0.1"},
		{"IPv6", "tcp6", "[::1]:0", "::1"},
		{"IPv4 on a socket of both", "tcp", "[::]:0", "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tcp, peer := accepted(t, tt.network, tt.addr, tt.dial)
			local, remote := tcp.LocalAddr().String(), tcp.RemoteAddr().String()
			if err := tcp.SetDeadline(time.Now().Add(-time.Second)); err != nil {
				t.Fatal(err)
			}
			adopted, ok := Adopt(tcp).(*Conn)
			if !ok {
				t.Fatal("not adopted")
			}
			if l, r := adopted.LocalAddr().String(), adopted.RemoteAddr().String(); l != local || r != remote {
				t.Errorf("from %s to %s, was from %s to %s", r, l, remote, local)
			}
			if err := tcp.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("its net.TCPConn is open: %v", err)
			}
			echo := make([]byte, 5)
			for _, c := range []struct{ from, to net.Conn }{{peer, adopted}, {adopted, peer}} {
				if _, err := io.WriteString(c.from, "hello"); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c.to, echo); err != nil || string(echo) != "hello" {
					t.Fatalf("%q, %v", echo, err)
				}
			}
			if err := adopted.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := peer.Read(echo); !errors.Is(err, io.EOF) {
				t.Errorf("the other side: %v", err)
			}
		})
	}
}

// TestAdoptNothing: what is no TCP connection, or is closed, stays what it is.
func TestAdoptNothing(t *testing.T) {
	pipe, end := net.Pipe()
	defer func() { _, _ = pipe.Close(), end.Close() }()
	if got := Adopt(pipe); got != pipe {
		t.Errorf("%T", got)
	}
	tcp, _ := accepted(t, "tcp", "127.0.0.1:0", "127.0.0.1")
	_ = tcp.Close()
	if got := Adopt(tcp); got != tcp {
		t.Errorf("closed: %T", got)
	}
}

// TestAdoptNoDescriptor: a connection stays what it is while the process has no descriptor free.
func TestAdoptNoDescriptor(t *testing.T) {
	tcp, peer := accepted(t, "tcp", "127.0.0.1:0", "127.0.0.1")
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	next, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	none := syscall.Rlimit{Cur: uint64(next.Fd()), Max: limit.Max}
	_ = next.Close()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	got := Adopt(tcp)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if got != tcp {
		t.Fatalf("%T", got)
	}
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := got.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}
