package hub_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/engine/fastpath"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
)

const (
	ownLink = "*fdconn.Conn"
	netLink = "*net.TCPConn"
	adopted = "taken out of net/http's"
	// unwatched are those that have a goroutine.
	unwatched = " unwatched"
)

// linked says what a connection of the hub's has come to stand on.
func linked(s *server) <-chan string {
	links := make(chan string, 10)
	s.OnConnect(func(_ context.Context, c *hub.Conn) error {
		link, watched := c.Link()
		if !watched {
			link += unwatched
		}
		links <- link
		return nil
	})
	return links
}

// said is an answer to a handshake without what is random, and whether the connection then ends.
func said(t *testing.T, s *server, request string) string {
	t.Helper()
	res, _ := s.send(t, request) //nolint:bodyclose // send sees to it
	body := ""
	if res.StatusCode != http.StatusSwitchingProtocols {
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = string(b)
	}
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(res.Header)) {
		if k != "Date" && (k != "Connection" || res.StatusCode == http.StatusSwitchingProtocols) {
			value := strings.Join(res.Header[k], "|")
			if k == "Retry-After" { // which is spread
				value = "some time"
			}
			lines = append(lines, k+": "+value)
		}
	}
	return res.Status + "\n" + strings.Join(lines, "\n") + "\n" + body
}

// TestServeAnswers: handshakes are answered by Serve as they are by net/http, whatever is asked for.
func TestServeAnswers(t *testing.T) {
	const key, v13 = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13"
	without := func(s, line string) string { return strings.Replace(s, line+"\r\n", "", 1) }
	plain := handshakeLines("HTTP/1.1")
	requests := map[string]string{
		"plain":            plain,
		"another key":      strings.Replace(plain, "AAAAAAAAAAAAAAAAAAAAAA==", "dGhlIHNhbXBsZSBub25jZQ==", 1),
		"protocol":         handshakeLines("HTTP/1.1", "Sec-WebSocket-Protocol: mqtt, "+protocol.Subprotocol),
		"two lines":        handshakeLines("HTTP/1.1", "Sec-WebSocket-Protocol: mqtt", "Sec-WebSocket-Protocol: "+protocol.Subprotocol),
		"unknown protocol": handshakeLines("HTTP/1.1", "Sec-WebSocket-Protocol: mqtt"),
		"deflate":          handshakeLines("HTTP/1.1", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
		"deflate, window":  handshakeLines("HTTP/1.1", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15"),
		"bad deflate":      handshakeLines("HTTP/1.1", "Sec-WebSocket-Extensions: permessage-deflate; x=1, other"),
		"no key":           without(plain, key),
		"short key":        strings.Replace(plain, "AAAAAAAAAAAAAAAAAAAAAA==", "AAAA", 1),
		"long key":         strings.Replace(plain, "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAAAA", 1),
		"bad key":          strings.Replace(plain, "AAAAAAAAAAAAAAAAAAAAAA==", "!AAAAAAAAAAAAAAAAAAAAA==", 1),
		"two keys":         handshakeLines("HTTP/1.1", key),
		"no version":       without(plain, v13),
		"version 8":        strings.Replace(plain, v13, "Sec-WebSocket-Version: 8", 1),
		"versions":         strings.Replace(plain, v13, "Sec-WebSocket-Version: 8, 13", 1),
		"two versions":     handshakeLines("HTTP/1.1", v13),
		"HTTP/1.0":         handshakeLines("HTTP/1.0"),
		"foreign origin":   handshakeLines("HTTP/1.1", "Origin: http://elsewhere.example"),
		"own origin":       handshakeLines("HTTP/1.1", "Origin: http://hub"),
		"unauthorized":     handshakeLines("HTTP/1.1", "X-User: nobody"),
		"no database":      handshakeLines("HTTP/1.1", "X-User: error"),
		"panic":            handshakeLines("HTTP/1.1", "X-User: panic"),
		"with cookies":     handshakeLines("HTTP/1.1", "X-User: cookies"),
		"POST":             strings.Replace(plain, "GET", "POST", 1),
		"no upgrade":       without(plain, "Upgrade: websocket"),
		"why":              strings.Replace(plain, "GET /", "GET /?"+protocol.ExplainParam+"=1", 1),
		"a long head":      handshakeLines("HTTP/1.1", "X-Long: "+strings.Repeat("x", 9000)),
		"early frames":     plain + string(masked(finBit|textFrame, `{"op":"ping","id":7}`)),
	}
	answers := make(map[string][]string)
	for _, tr := range []transport{byNetHTTP, byDoor} {
		s := tr.start(t, hub.WithCompression(6, 1), hub.WithAffinity(hub.Affinity{}), hub.WithOrigins("http://app.example"),
			hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
				switch r.Header.Get("X-User") {
				case "nobody":
					return hub.Identity{}, hub.ErrUnauthorized
				case "error":
					return hub.Identity{}, errors.New("no database")
				case "panic":
					panic("oh")
				}
				return hub.Identity{}, nil
			}))
		s.OnHandshake(func(r *http.Request, c *hub.Conn) error {
			if r.Header.Get("X-User") == "cookies" {
				c.ResponseHeader().Add("Set-Cookie", "a=b")
				c.ResponseHeader().Add("Set-Cookie", "c=d\r\nX-Injected: 1")
			}
			return nil
		})
		s.before(func(w http.ResponseWriter, _ *http.Request) http.ResponseWriter {
			w.Header().Set("X-Middleware", "yes")
			return w
		})
		for name, request := range requests {
			answers[name] = append(answers[name], said(t, s, request))
		}
	}
	for name, a := range answers {
		if a[0] != a[1] {
			t.Errorf("%s: by Serve\n%s\nby net/http\n%s", name, a[1], a[0])
		}
	}
}

// unwrapped and hijacking are middleware of the two kinds.
type (
	unwrapped struct{ http.ResponseWriter }
	hijacking struct{ http.ResponseWriter }
)

func (w unwrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w hijacking) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w hijacking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// TestServeLinks: the hub has a descriptor alone where nobody else wants to see the connection, and net's connection otherwise.
func TestServeLinks(t *testing.T) {
	for _, tt := range []struct {
		name string
		tr   transport
		wrap func(http.ResponseWriter) http.ResponseWriter
		more string
		want string
	}{
		{"the hub alone", byDoor, nil, "", ownLink},
		{"behind Unwrap", byDoor, func(w http.ResponseWriter) http.ResponseWriter { return unwrapped{unwrapped{w}} }, "", ownLink},
		{"behind a Hijack", byDoor, func(w http.ResponseWriter) http.ResponseWriter { return unwrapped{hijacking{w}} }, "", netLink},
		{"a long head", byDoor, nil, "X-Long: " + strings.Repeat("x", 9000), adopted},
		{"net/http", byNetHTTP, nil, "", adopted},
		{"without a poller", transport{door: true, goroutine: true}, nil, "", ownLink + unwatched},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.tr.start(t)
			if tt.wrap != nil {
				s.before(func(w http.ResponseWriter, _ *http.Request) http.ResponseWriter { return tt.wrap(w) })
			}
			want := tt.want
			switch {
			case want == adopted && polls():
				want = ownLink
			case want == adopted:
				want = netLink
			case !fastpath.Door.Enabled() && (tt.tr.goroutine || !polls()):
				want = strings.Replace(want, ownLink, netLink, 1)
			}
			if !fastpath.Poller.Enabled() {
				want = strings.TrimSuffix(want, unwatched) + unwatched
			}
			links := linked(s)
			var more []string
			if tt.more != "" {
				more = append(more, tt.more)
			}
			_, br := s.send(t, handshakeLines("HTTP/1.1", more...)) //nolint:bodyclose // send sees to it
			if got := receive(t, "the connection", links); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if _, err := br.ReadByte(); err != nil { // of the welcome
				t.Error(err)
			}
		})
	}
}

// TestServeFallsBack: what the hub cannot accept itself net/http accepts, which is logged once.
func TestServeFallsBack(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts []hub.Option
		set  func(*http.Server, *net.Listener)
		want string
	}{
		{"nothing", nil, func(*http.Server, *net.Listener) {}, ""},
		{"ConnState", nil, func(s *http.Server, _ *net.Listener) { s.ConnState = func(net.Conn, http.ConnState) {} }, "the server has a ConnState"},
		{"a listener", nil, func(_ *http.Server, l *net.Listener) { *l = struct{ net.Listener }{*l} }, "the listener is not a *net.TCPListener"},
		{"turned off", one(hub.WithoutFastPaths(hub.FastPathDoor)), func(*http.Server, *net.Listener) {}, "the fast path is turned off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testenv.NoLeaks(t)
			if !fastpath.Door.Enabled() {
				tt.want = "the fast path is turned off"
			}
			var logged bytes.Buffer
			h, err := hub.New(append(tt.opts, hub.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))...)
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			answering := make(chan string, 10)
			srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answering <- fmt.Sprintf("%T", w)
				h.ServeHTTP(w, r)
			})}
			tt.set(srv, &l)
			served := make(chan error, 1)
			go func() { served <- h.Serve(srv, l) }()
			s := &server{Hub: h, t: t, url: "ws://" + l.Addr().String()}
			s.dial(t)
			if got := receive(t, "the answer", answering); (got == "*http.response") != (tt.want != "") {
				t.Errorf("answered by a %s", got)
			}
			if err := errors.Join(srv.Close(), h.Close()); err != nil {
				t.Error(err)
			}
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("Serve: %v", err)
			}
			n := strings.Count(logged.String(), "Serve leaves accepting to net/http")
			if tt.want == "" && n != 0 || tt.want != "" && (n != 1 || !strings.Contains(logged.String(), tt.want)) {
				t.Errorf("logged %d times: %s", n, &logged)
			}
		})
	}
	h := start(t)
	if err := errors.Join(h.Serve(nil, nil)); err == nil {
		t.Error("Serve of nothing")
	}
}

// TestServeEnds: the server's end and the hub's come in either order, and nothing is left after both.
func TestServeEnds(t *testing.T) {
	shut := func(end func(context.Context) error) func() error {
		return func() error {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			return end(ctx)
		}
	}
	for _, hubFirst := range []bool{false, true} {
		for _, orderly := range []bool{false, true} {
			testenv.NoLeaks(t)
			h, err := hub.New(hub.WithDrain(10*time.Millisecond), hub.WithLogger(slog.New(slog.DiscardHandler)), hub.WithOpenRooms("*"))
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			at, release := make(chan struct{}, 1), make(chan struct{})
			h.OnHandshake(func(r *http.Request, _ *hub.Conn) error {
				if r.URL.Path == "/slow" {
					at <- struct{}{}
					<-release
				}
				return nil
			})
			srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
			served := make(chan error, 1)
			go func() { served <- h.Serve(srv, l) }()
			s := &server{Hub: h, t: t, url: "ws://" + l.Addr().String()}
			c := s.dial(t)
			silent, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			slow, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(slow, strings.Replace(handshakeLines("HTTP/1.1"), "GET /", "GET /slow", 1))
			<-at
			ends := []func() error{srv.Close, h.Close}
			if orderly {
				ends = []func() error{shut(srv.Shutdown), shut(h.Shutdown)}
			}
			if hubFirst {
				slices.Reverse(ends)
			}
			time.AfterFunc(50*time.Millisecond, func() { close(release) })
			for _, end := range ends {
				if err := end(); err != nil {
					t.Errorf("hub first %v, in order %v: %v", hubFirst, orderly, err)
				}
			}
			if err := receive(t, "the end of Serve", served); !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("Serve: %v", err)
			}
			_, _, err = c.ws.ReadMessage()
			for err == nil {
				_, _, err = c.ws.ReadMessage()
			}
			for _, conn := range []net.Conn{silent, slow} {
				_ = conn.SetDeadline(time.Now().Add(patience))
				if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("hub first %v, in order %v: %v", hubFirst, orderly, err)
				}
				_ = conn.Close()
			}
		}
	}
}

// TestServeKeepalive: the kernel probes connections if the hub has no heartbeat, as package net has it.
func TestServeKeepalive(t *testing.T) {
	for _, tt := range []struct {
		policy heartbeat.Policy
		want   int
	}{{heartbeat.Default(), 0}, {heartbeat.Disabled(), 1}} {
		s := byDoor.start(t, hub.WithHeartbeat(tt.policy))
		probes := make(chan int, 1)
		s.OnConnect(func(_ context.Context, c *hub.Conn) error { probes <- c.KeepAlive(); return nil })
		s.dial(t)
		if got := receive(t, "the connection", probes); got != tt.want {
			t.Errorf("SO_KEEPALIVE is %d, want %d", got, tt.want)
		}
	}
}
