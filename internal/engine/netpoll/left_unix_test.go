//go:build unix

package netpoll

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

// await waits until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

func TestLeft(t *testing.T) {
	const (
		closing = "\x88\x82\x01\x02\x03\x04\x02\xeb" // masked, as a client's
		ping    = "\x89\x81\x01\x02\x03\x04x"
	)
	text := "\x81\xfe\x01\x00\x01\x02\x03\x04" + strings.Repeat("\x88", 256)
	long := "\x81\xff\x00\x00\x00\x00\x00\x00\x01\x00\x01\x02\x03\x04" + strings.Repeat("\x88", 256)
	hang := func(c net.Conn) error { return c.(interface{ CloseWrite() error }).CloseWrite() }
	tests := []struct {
		name  string
		sent  string
		end   func(net.Conn) error
		left  bool // as seen where frames are looked at
		blind bool // and where they are not
	}{
		{"nothing", "", nil, false, false},
		{"a message", text, nil, false, false},
		{"a close frame", closing, nil, true, false},
		{"one behind a ping", ping + closing, nil, true, false},
		{"one behind messages", text + long + closing, nil, true, false},
		{"one whose rest is missing", closing[:3], nil, true, false},
		{"a message whose rest is missing", text[:100], nil, false, false},
		{"a length whose rest is missing", long[:5], nil, false, false},
		{"an absurd length", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" + closing, nil, false, false},
		{"half a header", "\x88", nil, false, false},
		{"half closed", "", hang, true, true},
		{"closed", "", net.Conn.Close, true, true},
	}
	if hungUp != 0 {
		tests = append(tests, []struct {
			name  string
			sent  string
			end   func(net.Conn) error
			left  bool
			blind bool
		}{
			{"half closed behind a message", text, hang, true, true},
			{"closed behind a message", text, net.Conn.Close, true, true},
		}...)
	}
	for _, network := range []string{"tcp", "unix"} {
		for _, tt := range tests {
			t.Run(network+"/"+tt.name, func(t *testing.T) {
				conn, peer := pair(t, network)
				write(t, peer, tt.sent)
				if tt.end != nil {
					if err := tt.end(peer); err != nil {
						t.Fatal(err)
					}
				}
				buf := make([]byte, 4096)
				if tt.sent != "" {
					await(t, "what was sent", func() bool { return Unread(conn) })
				}
				for what, left := range map[string]func() bool{
					"with frames":    func() bool { return Left(conn, buf) == tt.left },
					"without frames": func() bool { return Left(conn, nil) == tt.blind },
					"under TLS":      func() bool { return Left(tls.Client(conn, &tls.Config{ServerName: "example.com"}), buf) == tt.blind },
				} {
					await(t, what, left) // the end may take its time
				}
			})
		}
	}
	conn, peer := pair(t, "tcp")
	write(t, peer, text)
	if err := errors.Join(peer.(*net.TCPConn).SetLinger(0), peer.Close()); err != nil {
		t.Fatal(err)
	}
	await(t, "the reset", func() bool { return Left(conn, nil) })
	_ = conn.Close()
	pipe, end := net.Pipe()
	defer func() { _, _ = pipe.Close(), end.Close() }()
	if Left(conn, nil) || Left(pipe, nil) || Left(nil, nil) {
		t.Error("Left of what has no socket")
	}
}
