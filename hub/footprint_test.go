package hub_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// BenchmarkFootprint is how many bytes of the heap an idle connection has, by what it uses: the socket as Go has it included, the
// kernel's part of it and the client's not.
func BenchmarkFootprint(b *testing.B) {
	user := func(ends time.Duration) hub.Option {
		var n atomic.Int64
		return hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
			id := hub.Identity{User: "user" + strconv.FormatInt(n.Add(1), 10)}
			if ends > 0 {
				id.ExpiresAt = time.Now().Add(ends)
			}
			return id, nil
		})
	}
	grant := func(h *hub.Hub) {
		h.OnJoinGrant(func(context.Context, *hub.Conn, string) (hub.Grant, error) {
			return hub.Grant{ExpiresAt: time.Now().Add(time.Hour)}, nil
		})
	}
	const hello, join = `{"op":"hello"}`, `{"op":"join","room":"room","id":1}`
	for _, tt := range []struct {
		name   string
		opts   []hub.Option
		set    func(*hub.Hub)
		frames []string // of the client; each is answered. Nil for an event stream in a room
	}{
		{"event stream in a room", one(hub.WithOpenRooms("*")), nil, nil},
		{"event stream in a room with history", []hub.Option{hub.WithOpenRooms("*"), hub.WithRooms("*", hub.DefaultHistory())}, nil, nil},
		{"room with history", []hub.Option{hub.WithOpenRooms("*"), hub.WithRooms("*", hub.DefaultHistory())}, nil, []string{hello, join}},
		{"nothing", one(hub.WithOpenRooms("*")), nil, []string{hello}},
		{"session", one(hub.WithOpenRooms("*")), nil, []string{`{"op":"hello","session":"` + strings.Repeat("s", 20) + `"}`}},
		{"user", []hub.Option{hub.WithOpenRooms("*"), user(0)}, nil, []string{hello}},
		{"user that ends", []hub.Option{hub.WithOpenRooms("*"), user(time.Hour)}, nil, []string{hello}},
		{"user of a limited number", []hub.Option{hub.WithOpenRooms("*"), user(0), hub.WithMaxPerUser(3, hub.RefuseNew)}, nil, []string{hello}},
		{"room", one(hub.WithOpenRooms("*")), nil, []string{hello, join}},
		{"room with a grant that ends", nil, grant, []string{hello, join}},
	} {
		for _, by := range []string{"net-http", "Serve", "TLS"} {
			b.Run(tt.name+"/"+by, func(b *testing.B) {
				for b.Loop() {
					b.ReportMetric(footprint(b, tt.opts, tt.set, tt.frames, by), "B/conn")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// footprint connects clients, by Hub.Serve, by net/http or by net/http with TLS, and returns what each has on the heap.
func footprint(b *testing.B, opts []hub.Option, set func(*hub.Hub), frames []string, by string) float64 {
	b.Helper()
	const conns = 2000
	h, err := hub.New(append(opts, hub.WithoutRateLimit(), hub.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))...)
	if err != nil {
		b.Fatal(err)
	}
	if set != nil {
		set(h)
	}
	handler := http.Handler(h)
	if frames == nil {
		handler = h.SSE()
	}
	srv := httptest.NewUnstartedServer(handler)
	switch by {
	case "Serve":
		go h.Serve(srv.Config, srv.Listener) //nolint:errcheck // it is closed
		defer srv.Config.Close()             //nolint:errcheck // nobody is left
	case "TLS":
		srv.StartTLS()
	default:
		srv.Start()
	}
	clients := make([]net.Conn, conns)
	defer func() {
		for _, c := range clients {
			_ = c.Close()
		}
		if err := h.Close(); err != nil {
			b.Error(err)
		}
		srv.Close()
	}()
	addr := srv.Listener.Addr().String()
	buf := make([]byte, 4<<10)
	answered := func(c net.Conn, what string) {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		for got := ""; !strings.Contains(got, what); {
			n, err := c.Read(buf)
			if err != nil {
				b.Fatalf("waiting for %s: %v", what, err)
			}
			got += string(buf[:n])
		}
	}
	head := "GET / HTTP/1.1\r\nHost: " + addr + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " + protocol.Subprotocol + "\r\n\r\n"
	if frames == nil {
		head = "GET /?room=room HTTP/1.1\r\nHost: " + addr + "\r\n\r\n"
	}
	var roots *x509.CertPool
	if by == "TLS" {
		roots = x509.NewCertPool()
		roots.AddCert(srv.Certificate())
	}
	clientsOwn := unaccepted(b, conns)
	before := heap()
	for i := range clients {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		clients[i] = c
		if by == "TLS" {
			// A silent client needs its socket alone: its own keys and buffers are garbage when it falls silent.
			c = tls.Client(c, &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"http/1.1"}})
		}
		_, _ = io.WriteString(c, head)
		if frames == nil {
			answered(c, "event:joined")
		} else {
			answered(c, "\r\n\r\n")
		}
		for _, f := range frames {
			_, _ = c.Write(append([]byte{0x81, 0x80 | byte(len(f)), 0, 0, 0, 0}, f...))
			answered(c, `"op":"`+map[bool]string{true: "welcome", false: "ok"}[strings.Contains(f, "hello")])
		}
	}
	after := heap()
	runtime.KeepAlive(h)
	return float64(after-before-clientsOwn) / conns
}

// unaccepted is what the clients' own ends have, of connections that nobody accepts.
func unaccepted(b *testing.B, conns int) int64 {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	clients := make([]net.Conn, conns)
	before := heap()
	for i := range clients {
		if clients[i], err = net.Dial("tcp", l.Addr().String()); err != nil {
			b.Fatal(err)
		}
	}
	after := heap()
	for _, c := range clients {
		_ = c.Close()
	}
	return after - before
}

// heap is what is in use when what can be freed is freed.
func heap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
