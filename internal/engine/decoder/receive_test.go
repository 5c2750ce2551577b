package decoder

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// overTCP returns a Decoder that reads what is written to the other end of a TCP connection.
func overTCP(t *testing.T) (*Decoder, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), peer.Close() })
	return poolOf(limit).Get(&link{conn: conn}, false), peer
}

// TestReceive reads from TCP what is there, what comes later, what is longer than the buffer and what never comes whole.
func TestReceive(t *testing.T) {
	d, peer := overTCP(t)
	write := func(p []byte) {
		t.Helper()
		if _, err := peer.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := d.Wait(10 * time.Millisecond); ok || err != nil {
		t.Fatalf("with nothing to read Wait = %v, %v", ok, err)
	}
	wait := func() {
		t.Helper()
		if ok, err := d.Wait(0); !ok || err != nil {
			t.Fatalf("Wait = %v, %v", ok, err)
		}
	}
	write(text("first"))
	wait()
	next(t, d, "first")
	late := time.AfterFunc(20*time.Millisecond, func() { _, _ = peer.Write(text("second")) })
	defer late.Stop()
	wait()
	next(t, d, "second")
	long := strings.Repeat("long", limit/4)
	write(text(long)[:7])
	wait()
	rest := time.AfterFunc(20*time.Millisecond, func() { _, _ = peer.Write(text(long)[7:]) })
	defer rest.Stop()
	next(t, d, long)
	write(text("never whole")[:3])
	wait()
	if _, _, err := d.Next(20 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Next = %v", err)
	}
}

func TestReceiveTheEnd(t *testing.T) {
	tests := []struct {
		name string
		end  func(conn, peer net.Conn) error
		want func(error) bool
	}{
		{"by the peer", func(_, peer net.Conn) error { return peer.Close() }, func(err error) bool { return errors.Is(err, io.EOF) }},
		{"by this side", func(conn, _ net.Conn) error { return conn.Close() }, func(err error) bool { return errors.Is(err, net.ErrClosed) }},
		{"by a reset", func(_, peer net.Conn) error {
			return errors.Join(peer.(*net.TCPConn).SetLinger(0), peer.Close())
		}, func(err error) bool { return err != nil && !errors.Is(err, io.EOF) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, peer := overTCP(t)
			late := time.AfterFunc(20*time.Millisecond, func() { _ = tt.end(d.peer.conn, peer) })
			defer late.Stop()
			if ok, err := d.Wait(0); ok || !tt.want(err) {
				t.Errorf("Wait = %v, %v", ok, err)
			}
		})
	}
}
