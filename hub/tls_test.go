package hub_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// recorder keeps what TLS writes to the socket, so that a test says in which pieces it goes there.
type recorder struct {
	net.Conn
	kept  bytes.Buffer
	keeps bool
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.keeps {
		return r.kept.Write(p)
	}
	return r.Conn.Write(p)
}

// dialTLS returns a client of the protocol whose records can be kept back.
func (s *server) dialTLS(t *testing.T) (*tls.Conn, *recorder) {
	t.Helper()
	raw, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{Conn: raw}
	config := s.http.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "example.com"
	c := tls.Client(r, config)
	t.Cleanup(func() { _ = c.Close() })
	write(t, c, "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: "+protocol.Subprotocol+"\r\n\r\n")
	readUntil(t, c, "\r\n\r\n")
	write(t, c, text(`{"op":"hello"}`))
	readUntil(t, c, `"op":"welcome"`)
	return c, r
}

func write(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

// readUntil returns what has come when what is in it.
func readUntil(t *testing.T, r io.Reader, what string) string {
	t.Helper()
	var got strings.Builder
	buf := make([]byte, 4<<10)
	for !strings.Contains(got.String(), what) {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		got.Write(buf[:n])
	}
	return got.String()
}

// text is a text frame of a client.
func text(s string) string { return string(masked(0x80|textFrame, s)) }

// readers is how many goroutines read from a connection.
func readers() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*frameReader).run(")
}

// TestIdleTLS: idle connections over TLS have no goroutine, as others have none.
func TestIdleTLS(t *testing.T) {
	if !polls() {
		t.Log("there is no poller: each connection has a goroutine")
		return
	}
	s := overTLS.start(t, hub.WithOpenRooms("*"))
	clients := make([]*tls.Conn, 20)
	for i := range clients {
		clients[i], _ = s.dialTLS(t)
	}
	await(t, "nobody reads", func() bool { return readers() == 0 })
	for range 3 { // each is woken and falls silent again
		for _, c := range clients {
			write(t, c, text(`{"op":"ping","id":7}`))
			readUntil(t, c, `{"op":"ok","id":7}`)
		}
		await(t, "nobody reads", func() bool { return readers() == 0 })
	}
}

// TestRecords: messages over TLS arrive in whatever pieces its records come.
func TestRecords(t *testing.T) {
	if !polls() {
		t.Log("there is no poller: TLS itself waits for its records")
		return
	}
	one, two := text(`{"op":"ping","id":1}`), text(`{"op":"ping","id":2}`)
	long := text(`{"op":"send","data":"` + strings.Repeat("x", 9000) + `"}`) // more than the reader's buffer
	answers := []string{`{"op":"ok","id":1}`, `{"op":"ok","id":2}`}
	for _, tt := range []struct {
		name    string
		records []string
		pieces  int  // that the records' bytes go to the socket in
		park    bool // the reader gives up between the pieces
	}{
		{"two messages in a record", []string{one + two}, 1, false},
		{"two records at once", []string{one, two}, 1, false},
		{"two messages around a long one", []string{one + long + two}, 1, false},
		{"a message in two records", []string{one[:3], one[3:] + two}, 1, false},
		{"a record in two pieces", []string{one + two}, 2, false},
		{"a record in two pieces, of which the second is late", []string{one + two}, 2, true},
		{"records in five pieces", []string{one, long, two}, 5, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := overTLS.start(t, hub.WithOpenRooms("*"))
			c, r := s.dialTLS(t)
			await(t, "nobody reads", func() bool { return readers() == 0 })
			r.keeps = true
			for _, record := range tt.records {
				write(t, c, record)
			}
			bytes := r.kept.String()
			r.keeps = false
			for i := range tt.pieces {
				from, to := i*len(bytes)/tt.pieces, (i+1)*len(bytes)/tt.pieces
				write(t, r.Conn, bytes[from:to])
				if tt.park && i < tt.pieces-1 {
					wrote := time.Now()
					await(t, "the reader waits for the rest, or has given up", func() bool {
						return readers() == 1 || time.Since(wrote) > 5*time.Second
					})
					await(t, "the reader gives up", func() bool { return readers() == 0 })
				}
			}
			if got := readUntil(t, c, answers[1]); !strings.Contains(got, answers[0]) {
				t.Errorf("no first answer in %q", got)
			}
		})
	}
}
