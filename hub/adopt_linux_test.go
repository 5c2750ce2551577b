package hub_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

// TestConnIsAdopted: the hub takes the socket out of net/http's connection, unless somebody else may have kept that, or the poller is
// turned off.
func TestConnIsAdopted(t *testing.T) {
	connContext := func(srv *http.Server) {
		srv.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return ctx }
	}
	middleware := func(wrap func(http.ResponseWriter) http.ResponseWriter) func(*http.Server) {
		return func(srv *http.Server) {
			inner := srv.Handler
			srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(wrap(w), r) })
		}
	}
	for _, tt := range []struct {
		name    string
		opts    []hub.Option
		set     func(*http.Server)
		adopted bool
	}{
		{"net/http", nil, func(*http.Server) {}, polls()},
		{"ConnContext", nil, connContext, false},
		{"middleware", nil, middleware(func(w http.ResponseWriter) http.ResponseWriter { return unwrapped{w} }), polls()},
		{"middleware that hijacks", nil, middleware(func(w http.ResponseWriter) http.ResponseWriter { return hijacking{w} }), false},
		{"no poller", one(hub.WithoutPoller()), func(*http.Server) {}, false},
	} {
		for _, kind := range []string{"WebSocket", "event stream"} {
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				h, err := hub.New(append(tt.opts, hub.WithOpenRooms("*"))...)
				if err != nil {
					t.Fatal(err)
				}
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				hijacked := make(chan net.Conn, 1)
				mux := http.NewServeMux()
				mux.Handle("/", h)
				mux.Handle("/sse", h.SSE())
				srv := &http.Server{Handler: mux, ReadHeaderTimeout: patience, ConnState: func(c net.Conn, s http.ConnState) {
					if s == http.StateHijacked {
						hijacked <- c
					}
				}}
				tt.set(srv)
				served := make(chan error, 1)
				go func() { served <- srv.Serve(l) }()
				defer func() {
					_, _ = h.Close(), srv.Close()
					_ = receive(t, "the end of Serve", served)
				}()
				client, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = client.Close() }()
				head := handshakeLines("HTTP/1.1")
				if kind == "event stream" {
					head = "GET /sse?room=r HTTP/1.1\r\nHost: hub.test\r\n\r\n"
				}
				if _, err := client.Write([]byte(head)); err != nil {
					t.Fatal(err)
				}
				await(t, "a connection", func() bool { return h.Stats().Conns == 1 })
				conn := receive(t, "net/http's connection", hijacked)
				if err := conn.SetDeadline(time.Time{}); errors.Is(err, net.ErrClosed) != tt.adopted {
					t.Errorf("net/http's connection: %v", err)
				}
				for c := range h.Conns() {
					if got, want := c.RemoteAddr().String(), client.LocalAddr().String(); got != want {
						t.Errorf("the client's address is %s, not %s", got, want)
					}
				}
			})
		}
	}
}
