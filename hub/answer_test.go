package hub_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// handshakeLines is a good handshake but for the lines of one's own.
func handshakeLines(version string, more ...string) string {
	return "GET / " + version + "\r\n" + strings.Join(append([]string{
		"Host: hub", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
	}, more...), "\r\n") + "\r\n\r\n"
}

// send writes a request to the server's socket and returns the answer, and what is behind it.
func (s *server) send(t *testing.T, request string) (*http.Response, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res, br
}

// TestEarlyFrame: a frame in one segment with the handshake is answered, and net/http has nothing to complain of.
func TestEarlyFrame(t *testing.T) {
	for _, tr := range []transport{poller, goroutines} {
		t.Run(tr.name, func(t *testing.T) {
			s := tr.start(t)
			complaints := new(lines)
			s.http.Config.ErrorLog.SetOutput(complaints)
			res, br := s.send(t, handshakeLines("HTTP/1.1")+string(masked(finBit|textFrame, `{"op":"ping","id":7}`)))
			defer func() { _ = res.Body.Close() }()
			if res.StatusCode != http.StatusSwitchingProtocols {
				t.Fatal(res.Status)
			}
			want := string(unmasked(finBit|textFrame, `{"op":"ok","id":7}`))
			got := ""
			for !strings.HasSuffix(got, want) { // behind the welcome
				b, err := br.ReadByte()
				if err != nil {
					t.Fatalf("%v after %q", err, got)
				}
				got += string(b)
			}
			if got := complaints.with(""); len(got) > 0 {
				t.Errorf("net/http: %q", got)
			}
		})
	}
}

// TestHandshakeLines: what is no handshake by RFC 6455, section 4.2.1, is answered with 400, and a list on two lines is one list.
func TestHandshakeLines(t *testing.T) {
	s := start(t)
	for _, tt := range []struct {
		name, version string
		more          []string
		status        int
		protocol      string
	}{
		{"HTTP/1.0", "HTTP/1.0", nil, http.StatusBadRequest, ""},
		{"two keys", "HTTP/1.1", []string{"Sec-WebSocket-Key: BBBBBBBBBBBBBBBBBBBBBB=="}, http.StatusBadRequest, ""},
		{"two versions", "HTTP/1.1", []string{"Sec-WebSocket-Version: 8"}, http.StatusBadRequest, ""},
		{
			"two lines of subprotocols", "HTTP/1.1", []string{"Sec-WebSocket-Protocol: mqtt", "Sec-WebSocket-Protocol: " + protocol.Subprotocol},
			http.StatusSwitchingProtocols, protocol.Subprotocol,
		},
	} {
		res, _ := s.send(t, handshakeLines(tt.version, tt.more...))
		_ = res.Body.Close()
		if res.StatusCode != tt.status || res.Header.Get("Sec-Websocket-Protocol") != tt.protocol {
			t.Errorf("%s: %s with %q", tt.name, res.Status, res.Header.Get("Sec-Websocket-Protocol"))
		}
	}
}

// before has middleware before the hub.
func (s *server) before(middleware func(http.ResponseWriter, *http.Request) http.ResponseWriter) {
	s.middleware.Store(&middleware)
}

// TestHeadersOfTheAnswer: the answer to a handshake carries what middleware and OnHandshake set, with the node's name, but nothing
// that would make it another handshake. A refusal carries it too.
func TestHeadersOfTheAnswer(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		s := start(t, hub.WithAffinity(hub.Affinity{}))
		s.before(func(w http.ResponseWriter, _ *http.Request) http.ResponseWriter {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "renewed"})
			for k, v := range map[string]string{
				"X-Request-Id": "42", "X-Hubkit-Node": "another", "Sec-Websocket-Accept": "another", "Content-Length": "3", "Bad Name": "x",
			} {
				w.Header()[k] = []string{v}
			}
			if refuse {
				w.Header().Del("Content-Length")
			}
			return w
		})
		s.OnHandshake(func(_ *http.Request, c *hub.Conn) error {
			c.ResponseHeader().Set("X-From-Callback", "yes")
			c.ResponseHeader().Add("Set-Cookie", "csrf=token")
			if refuse {
				return hub.ErrForbidden
			}
			return nil
		})
		ws, res, err := s.dialer().Dial(s.url, nil)
		if res == nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if err == nil {
			_ = ws.Close()
		}
		var cookies []string
		for _, c := range res.Cookies() {
			cookies = append(cookies, c.Name+"="+c.Value)
		}
		want := []string{"session=renewed", "csrf=token"}
		if !refuse {
			want = append(want, "hubkit_node=n1")
			if nodes := res.Header.Values("X-Hubkit-Node"); !slices.Equal(nodes, []string{"n1"}) {
				t.Errorf("the node is %q", nodes)
			}
		}
		if (err != nil) != refuse || !slices.Equal(cookies, want) {
			t.Errorf("%s, %v: cookies %q, want %q", res.Status, err, cookies, want)
		}
		if res.Header.Get("X-Request-Id") != "42" || res.Header.Get("X-From-Callback") != "yes" || len(res.Header.Values("Bad Name")) > 0 {
			t.Errorf("%s with %q", res.Status, res.Header)
		}
	}
}

// TestUpgradeRequiredOverHTTP2: RFC 9113, section 8.2.2, allows neither Upgrade nor Connection.
func TestUpgradeRequiredOverHTTP2(t *testing.T) {
	s := overTLS.start(t)
	two := httptest.NewUnstartedServer(s.Hub)
	two.EnableHTTP2 = true
	two.StartTLS()
	t.Cleanup(two.Close)
	res, err := two.Client().Get(two.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != http.StatusUpgradeRequired || res.Header.Get("Upgrade")+res.Header.Get("Connection") != "" {
		t.Errorf("%s %s with %q", res.Proto, res.Status, res.Header)
	}
}

// TestUnixProxy: WithTrustedProxies("unix") believes whoever comes by a Unix socket, whatever name he is bound to, and nobody else.
func TestUnixProxy(t *testing.T) {
	for _, tt := range []struct{ name, bound, trusted, addr string }{
		{"trusted", "", "unix", "203.0.113.9"},
		{"bound to what looks like an address", "192.0.2.1", "unix", "203.0.113.9"},
		{"bound to what looks like an address and a port", "192.0.2.1:80", "unix", "203.0.113.9"},
		{"bound to what looks like a trusted address", "127.0.0.1:80", "127.0.0.1", "invalid IP"},
		{"not trusted", "", "10.0.0.0/8", "invalid IP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			s := start(t, hub.WithTrustedProxies(tt.trusted))
			addrs := make(chan string, 1)
			s.OnConnect(func(_ context.Context, c *hub.Conn) error {
				addrs <- c.ClientAddr().String()
				return nil
			})
			l, err := net.Listen("unix", "hub.sock")
			if err != nil {
				t.Fatal(err)
			}
			srv := &http.Server{Handler: s.Hub, ReadHeaderTimeout: patience}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(l) }()
			t.Cleanup(func() {
				_ = srv.Close()
				if err := <-served; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			})
			d := s.dialer()
			d.NetDialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				nd := net.Dialer{}
				if tt.bound != "" {
					nd.LocalAddr = &net.UnixAddr{Name: filepath.Clean(tt.bound), Net: "unix"}
				}
				return nd.DialContext(ctx, "unix", "hub.sock")
			}
			s.connectWith(t, d, http.Header{"X-Forwarded-For": {"203.0.113.9"}}).welcomed()
			if got := receive(t, "OnConnect", addrs); got != tt.addr {
				t.Errorf("ClientAddr %s, want %s", got, tt.addr)
			}
		})
	}
	s := start(t, hub.WithMaxPerIP(1), hub.WithTrustedProxies("unix"))
	s.connect(t, http.Header{"X-Forwarded-For": {"203.0.113.9"}}).welcomed()
	s.refused(t, http.Header{"X-Forwarded-For": {"203.0.113.10"}}) // TCP is not trusted
}

// plainWriter cannot be hijacked.
type plainWriter struct{ w http.ResponseWriter }

func (p plainWriter) Header() http.Header         { return p.w.Header() }
func (p plainWriter) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p plainWriter) WriteHeader(status int)      { p.w.WriteHeader(status) }

// TestOperatorIsWarned: what makes handshakes fail by the service's own set-up is logged once a minute, with what is to be changed.
func TestOperatorIsWarned(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header http.Header
		wrap   func(http.Handler) http.Handler
		status int
		says   []string
	}{
		{
			"origin", http.Header{"Origin": {"https://app.example.com"}}, func(h http.Handler) http.Handler { return h },
			http.StatusForbidden, []string{"WithOrigins", "origin=https://app.example.com", "host=127.0.0.1", "WithTrustedProxies"},
		},
		{
			"no Hijack", nil, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(plainWriter{w}, r) })
			},
			http.StatusInternalServerError, []string{"cannot be hijacked", "writer=hub_test.plainWriter", "Unwrap", "gzip", "metrics", "logging", "tracing"},
		},
		{
			"TimeoutHandler", nil, func(h http.Handler) http.Handler { return http.TimeoutHandler(h, patience, "late") },
			http.StatusInternalServerError, []string{"http.TimeoutHandler", "writer=*http.timeoutWriter"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := new(lines)
			s := start(t, hub.WithLogger(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn}))))
			s.http.Config.Handler = tt.wrap(s.Hub)
			for range 3 {
				if r := s.refused(t, tt.header); r.status != tt.status {
					t.Errorf("%+v, want %d", r, tt.status)
				}
			}
			warnings := out.with("level=WARN")
			if len(warnings) != 1 {
				t.Errorf("warned %d times, want once: %q", len(warnings), warnings)
			}
			got := strings.Join(warnings, "")
			for _, want := range tt.says {
				if !strings.Contains(got, want) {
					t.Errorf("%s\nsays nothing of %q", got, want)
				}
			}
		})
	}
}
