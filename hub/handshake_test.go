package hub_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// asUser takes the user from a header, as a proxy in front would set it.
func asUser(r *http.Request) (hub.Identity, error) {
	return hub.Identity{User: r.Header.Get("X-User")}, nil
}

func TestOrigin(t *testing.T) {
	const self = "self" // stands for the server's own host
	tests := []struct {
		name   string
		opts   []hub.Option
		origin string
		ok     bool
	}{
		{"no browser", nil, "", true},
		{"same origin", nil, "http://" + self, true},
		{"same host in capitals", nil, "HTTP://" + self, true},
		{"other host", nil, "http://evil.example", false},
		{"sandboxed page", nil, "null", false},
		{"not a URL", nil, "http://[::1", false},
		{"listed", one(hub.WithOrigins("app.example.com")), "https://app.example.com", true},
		{"listed, in capitals", one(hub.WithOrigins("App.Example.com")), "https://aPP.example.com", true},
		{"own host beside listed", one(hub.WithOrigins("app.example.com")), "http://" + self, true},
		{"not listed", one(hub.WithOrigins("app.example.com")), "https://example.com", false},
		{"other port", one(hub.WithOrigins("app.example.com")), "https://app.example.com:8443", false},
		{"wildcard", one(hub.WithOrigins("a", "*.example.com")), "https://x.y.example.com", true},
		{"wildcard is not a suffix", one(hub.WithOrigins("*.example.com")), "https://evilexample.com", false},
		{"wildcard needs the end", one(hub.WithOrigins("*.example.com")), "https://a.example.com.evil.org", false},
		{"all", one(hub.WithOrigins("*")), "https://evil.example", true},
		{"all, even sandboxed", one(hub.WithOrigins("*")), "null", true},
		{"check says yes", one(hub.WithOriginCheck(func(*http.Request) bool { return true })), "https://evil.example", true},
		{"check says no", one(hub.WithOriginCheck(func(*http.Request) bool { return false })), "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, tt.opts...)
			header := http.Header{}
			if tt.origin != "" {
				host := strings.TrimPrefix(s.http.URL, "http://")
				header.Set("Origin", strings.Replace(tt.origin, self, host, 1))
			}
			if tt.ok {
				s.connect(t, header).welcomed()
				return
			}
			if r := s.refused(t, header); r.status != http.StatusForbidden {
				t.Errorf("got %+v, want 403", r)
			}
			if n := s.Stats().Refused; n != 1 {
				t.Errorf("%d refused, want 1", n)
			}
		})
	}
}

func TestNotAWebSocketRequest(t *testing.T) {
	s := start(t)
	upgrade := http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}
	without := func(key string) http.Header {
		h := upgrade.Clone()
		h.Del(key)
		return h
	}
	tests := []struct {
		name, method string
		header       http.Header
		status       int
	}{
		{"plain GET", http.MethodGet, nil, http.StatusUpgradeRequired},
		{"plain POST", http.MethodPost, nil, http.StatusUpgradeRequired},
		{"POST with upgrade", http.MethodPost, upgrade, http.StatusMethodNotAllowed},
		{"no upgrade header", http.MethodGet, without("Upgrade"), http.StatusUpgradeRequired},
		{"no connection header", http.MethodGet, without("Connection"), http.StatusUpgradeRequired},
		{"no version", http.MethodGet, without("Sec-Websocket-Version"), http.StatusBadRequest},
		{"no key", http.MethodGet, without("Sec-Websocket-Key"), http.StatusBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := s.Stats().Refused
			r, err := http.NewRequestWithContext(t.Context(), tt.method, s.http.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = tt.header.Clone()
			resp, err := s.web.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.status)
			}
			if tt.status == http.StatusUpgradeRequired && resp.Header.Get("Upgrade") != "websocket" {
				t.Errorf("426 without the Upgrade header that it needs: %v", resp.Header)
			}
			if n := s.Stats().Refused - before; n != 1 {
				t.Errorf("%d refused, want 1", n)
			}
		})
	}
	if st := s.Stats(); st.Accepted != 0 || st.Conns != 0 {
		t.Errorf("%d accepted, %d connections", st.Accepted, st.Conns)
	}
}

var errSecret = errors.New("secret: the database is at 10.0.0.7")

func TestHandshakeRefused(t *testing.T) {
	tooMany := &hub.HTTPError{Status: http.StatusTooManyRequests, Message: "slow down", RetryAfter: 1500 * time.Millisecond}
	wrapped := errors.Join(errSecret, &hub.HTTPError{Status: http.StatusTeapot, Message: "short and stout"})
	tests := []struct {
		name       string
		err        error
		auth       int // the status where the authenticator returns err
		handshake  int // the status where OnHandshake does
		body       [2]string
		retryAfter string
	}{
		{"who is it", errors.Join(errSecret, hub.ErrUnauthorized), 401, 401, [2]string{"unauthorized", "unauthorized"}, ""},
		{"not allowed", hub.ErrForbidden, 403, 403, [2]string{"forbidden", "forbidden"}, ""},
		{"an error of its own", &hub.Error{Code: "paywall"}, 401, 403, [2]string{"unauthorized", "forbidden"}, ""},
		{"a final close", &hub.CloseError{Code: protocol.CloseDisconnected}, 401, 403, [2]string{"unauthorized", "forbidden"}, ""},
		{"a close", &hub.CloseError{Code: protocol.CloseTryAgainLater, RetryAfter: time.Second}, 503, 503, [2]string{"try again later", "try again later"}, "1"},
		{"an error that passes", &hub.Error{Code: protocol.CodeBusy, RetryAfter: 3 * time.Second}, 503, 503, [2]string{"try again later", "try again later"}, "3"},
		{"an HTTPError without a status", &hub.HTTPError{Message: "so"}, 500, 500, [2]string{"so", "so"}, ""},
		{"an HTTPError that refuses nothing", &hub.HTTPError{Status: 200, Message: "so"}, 500, 500, [2]string{"so", "so"}, ""},
		{"an HTTPError out of range", &hub.HTTPError{Status: 99999, Message: "so"}, 500, 500, [2]string{"so", "so"}, ""},
		{"an HTTPError", tooMany, 429, 429, [2]string{"slow down", "slow down"}, "2"},
		{"a wrapped HTTPError", wrapped, 418, 418, [2]string{"short and stout", "short and stout"}, ""},
		{"a panic", nil, 500, 500, [2]string{"internal error", "internal error"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fail := func() error {
				if tt.err == nil {
					panic("handshake")
				}
				return tt.err
			}
			check := func(t *testing.T, s *server, status int, want string) {
				t.Helper()
				if got, want := s.refused(t, nil), (refusal{status, tt.retryAfter, want}); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				if st := s.Stats(); st.Refused != 1 || st.Accepted != 0 || st.Conns != 0 {
					t.Errorf("stats: %+v", st)
				}
			}
			t.Run("authenticator", func(t *testing.T) {
				s := start(t, hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) { return hub.Identity{}, fail() }))
				check(t, s, tt.auth, tt.body[0])
			})
			t.Run("OnHandshake", func(t *testing.T) {
				s := start(t)
				s.OnHandshake(func(*http.Request, *hub.Conn) error { return fail() })
				check(t, s, tt.handshake, tt.body[1])
			})
		})
	}
}

func TestAuthenticatorMustReturnValidInfo(t *testing.T) {
	s := start(t, hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
		return hub.Identity{User: "ada", Info: []byte(`{`)}, nil
	}))
	if r := s.refused(t, nil); r.status != http.StatusServiceUnavailable || s.Stats().Failures != 1 {
		t.Errorf("got %+v with %d failures, want 503 and one", r, s.Stats().Failures)
	}
}

type userAgent struct{}

func TestOnHandshakeValues(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
			return hub.Identity{User: r.URL.Query().Get("user"), Info: []byte(`{"a":1}`)}, nil
		}))
		s.OnHandshake(func(r *http.Request, c *hub.Conn) error {
			c.Set(userAgent{}, r.UserAgent())
			c.Set("gone", 1)
			c.Set("gone", nil)
			return nil
		})
		conns := make(chan *hub.Conn, 1)
		s.OnConnect(func(_ context.Context, c *hub.Conn) error {
			conns <- c
			return nil
		})
		s.url += "?user=ada"
		s.connect(t, http.Header{"User-Agent": {"probe/1"}}).welcomed()
		c := receive(t, "OnConnect", conns)
		if got := c.Get(userAgent{}); got != "probe/1" {
			t.Errorf("Get: %v", got)
		}
		if got := c.Get("gone"); got != nil {
			t.Errorf("a value that was taken back is still %v", got)
		}
		if id := c.Identity(); id.User != "ada" || string(id.Info) != `{"a":1}` {
			t.Errorf("Identity: %+v", id)
		}
	})
}

func TestSubprotocolIsNegotiated(t *testing.T) {
	s := start(t)
	tests := []struct {
		name    string
		offered []string
		want    string
	}{
		{"none", nil, ""},
		{"v1", []string{protocol.Subprotocol}, protocol.Subprotocol},
		{"unknown", []string{"mqtt"}, ""},
		{"v1 among others", []string{"mqtt", protocol.Subprotocol, "wamp"}, protocol.Subprotocol},
		{"a later version", []string{"hubkit.v2"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := s.connect(t, nil, tt.offered...)
			if got := c.ws.Subprotocol(); got != tt.want {
				t.Fatalf("chosen: %q, want %q", got, tt.want)
			}
			if tt.want != "" {
				c.write(`{"op":"hello","id":1}`)
			}
			if r := c.welcomed(); (r.ID == 1) != (tt.want != "") {
				t.Errorf("welcome %+v", r)
			}
		})
	}
}

func TestHandshakeWhileDraining(t *testing.T) {
	s := start(t)
	going, release := make(chan struct{}), make(chan struct{})
	s.OnDisconnect(func(context.Context, *hub.Conn, error) {
		close(going)
		<-release
	})
	c := s.dial(t)
	c.alive() // and taken by now
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	c.closed(protocol.CloseServiceRestart)
	finished(t, "the connection", going)
	if s.Ready() {
		t.Error("Ready while draining")
	}
	want := refusal{http.StatusServiceUnavailable, "1", "shutting down"}
	if got := s.refused(t, nil); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	close(release)
	if err := receive(t, "Shutdown", done); err != nil {
		t.Fatal(err)
	}
	if got := s.refused(t, nil); got != want {
		t.Errorf("closed hub: got %+v, want %+v", got, want)
	}
}

// TestHandshakeAfterCrowd: who comes when a crowd has been sent away is not told to come back before it.
func TestHandshakeAfterCrowd(t *testing.T) {
	const clients = 8
	s := start(t, hub.WithAdmission(0.1, clients)) // the crowd needs 80 seconds
	for range clients {
		s.dial(t)
	}
	s.shutdown(t)
	got := s.refused(t, nil)
	if after, err := strconv.Atoi(got.retryAfter); err != nil || got.status != http.StatusServiceUnavailable || after < 80-int(patience/time.Second) {
		t.Errorf("%+v", got)
	}
}

// TestConnInHandshake: while OnHandshake runs there is no socket, so that nothing can be sent and no room joined; a
// connection that it closes is closed when the handshake has been answered.
func TestConnInHandshake(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"))
		var ended atomic.Int64
		s.OnDisconnect(func(context.Context, *hub.Conn, error) { ended.Add(1) })
		s.OnHandshake(func(r *http.Request, c *hub.Conn) error {
			if r.Header.Get("X-Close") == "" {
				return nil
			}
			if err := c.Send([]byte(`1`)); !errors.Is(err, hub.ErrClosed) {
				t.Errorf("Send: %v", err)
			}
			if err := c.Join(r.Context(), "news"); !errors.Is(err, hub.ErrClosed) {
				t.Errorf("Join: %v", err)
			}
			return c.Close(protocol.CloseForbidden, "not you")
		})
		c := s.connect(t, http.Header{"X-Close": {"1"}})
		if reason := c.closed(protocol.CloseForbidden); reason != "not you" {
			t.Errorf("closed because of %q", reason)
		}
		await(t, "it is gone", func() bool { return s.Stats().Conns == 0 && s.Stats().Closed[protocol.CloseForbidden] == 1 })
		if n := ended.Load(); n != 0 {
			t.Errorf("OnDisconnect heard %d times of a connection that OnConnect has not taken", n)
		}
		if _, err := s.Publish(t.Context(), "news", []byte(`1`)); err != nil {
			t.Error(err)
		}
		s.dial(t).alive()
	})
}
