package hub_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
)

// settled fails unless the gate gets every ticket back.
func (s *server) settled(t testing.TB) {
	t.Helper()
	await(t, "all tickets are given back", func() bool {
		conns, handshakes := s.Tickets()
		return conns == 0 && handshakes == 0 && s.Stats().Admission.Addresses == 0
	})
}

// TestRefusals: each bound refuses with 503 and says when to come back, is counted, and lets the next one in when there
// is capacity.
func TestRefusals(t *testing.T) {
	tests := []struct {
		name  string
		opt   hub.Option
		body  string
		count func(hub.AdmissionStats) int64
		// again says that a connection that ends makes room.
		again bool
	}{
		{"AtCapacity", hub.WithMaxConns(1), "too many connections", func(s hub.AdmissionStats) int64 { return s.AtCapacity }, true},
		{"PerAddress", hub.WithMaxPerIP(1), "too many connections from this address",
			func(s hub.AdmissionStats) int64 { return s.PerAddress }, true},
		{"RateLimited", hub.WithAdmission(1e-3, 1), "too many new connections", func(s hub.AdmissionStats) int64 { return s.RateLimited }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				s := tr.start(t, tt.opt, hub.WithSoftRefusals(5)) // which are for browsers only
				first := s.dial(t)
				got := s.refused(t, nil)
				after, err := strconv.Atoi(got.retryAfter)
				if got.status != http.StatusServiceUnavailable || got.body != tt.body || err != nil || after < 1 {
					t.Errorf("got %+v", got)
				}
				st := s.Stats()
				if tt.count(st.Admission) != 1 || st.Refused != 1 || st.Accepted != 1 || st.Admission.Soft != 0 {
					t.Errorf("stats %+v", st)
				}
				first.alive()
				if !tt.again {
					return
				}
				_ = first.ws.Close()
				await(t, "there is capacity", func() bool { conns, _ := s.Tickets(); return conns == 0 })
				s.dial(t).alive()
			})
		})
	}
}

// TestRefusedConnectionIsClosed: a client that would keep the HTTP connection must not keep the descriptor.
func TestRefusedConnectionIsClosed(t *testing.T) {
	s := start(t, hub.WithMaxConns(1))
	s.dial(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it is over
	_, err = c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var answer bytes.Buffer
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := answer.ReadFrom(c); err != nil {
		t.Fatalf("not closed: %v", err)
	}
	if !strings.HasPrefix(answer.String(), "HTTP/1.1 503 ") {
		t.Errorf("got %q", answer.String())
	}
}

// TestMaxHandshakes: what the authenticator holds up is bounded.
func TestMaxHandshakes(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := start(t, hub.WithMaxHandshakes(1), hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
		once.Do(func() {
			close(entered)
			<-release
		})
		return hub.Identity{}, nil
	}))
	first := make(chan error, 1)
	go func() {
		ws, resp, err := s.dialer().Dial(s.url, nil)
		if err == nil {
			_ = resp.Body.Close()
			_ = ws.Close()
		}
		first <- err
	}()
	finished(t, "the first is asked who it is", entered)
	if got := s.refused(t, nil); got.status != http.StatusServiceUnavailable || got.body != "too many handshakes" {
		t.Errorf("got %+v", got)
	}
	if st := s.Stats().Admission; st.Handshakes != 1 || st.Handshaking != 1 {
		t.Errorf("stats %+v", st)
	}
	close(release)
	if err := receive(t, "the first", first); err != nil {
		t.Fatal(err)
	}
	s.settled(t)
	s.dial(t)
}

// TestSoftRefusal: a browser is told in a close frame, as many a second as the budget says.
func TestSoftRefusal(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithMaxConns(1), hub.WithSoftRefusals(1), hub.WithOrigins("*"))
		stay := s.dial(t)
		browser := http.Header{"Origin": {"https://page.example"}}
		soft := int64(0)
		for range 20 {
			d := s.dialer()
			d.Subprotocols = []string{protocol.Subprotocol}
			ws, resp, err := d.Dial(s.url, browser)
			if resp == nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if err == nil { // also a second later, when the budget may be had again
				soft++
				h := (&client{t: t, ws: ws}).hinted(protocol.CloseTryAgainLater)
				_ = ws.Close()
				if h.RetryAfter <= 0 || h.Spread <= 0 || h.Reason != "too many connections" {
					t.Errorf("hint %+v", h)
				}
				continue
			}
			if soft == 0 || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
				t.Errorf("beyond the budget of %d: %v", soft, resp)
			}
			if st := s.Stats(); st.Admission.Soft != soft || st.Accepted != 1 || st.Conns != 1 || st.Refused != st.Admission.AtCapacity {
				t.Errorf("stats %+v", st)
			}
			stay.alive()
			return
		}
		t.Error("there was always budget")
	})
}

// TestSoftRefusalOfTheDeaf: who does not answer the close frame is cut, and Close does not wait for more than that.
func TestSoftRefusalOfTheDeaf(t *testing.T) {
	s := start(t, hub.WithMaxConns(1), hub.WithSoftRefusals(100), hub.WithOrigins("*"), hub.WithCloseTimeout(time.Second))
	s.dial(t)
	var deaf []*client
	for range 10 {
		deaf = append(deaf, s.connect(t, http.Header{"Origin": {"https://page.example"}}))
	}
	s.shutdown(t)
	for _, c := range deaf {
		c.hinted(protocol.CloseTryAgainLater)
	}
	s.settled(t)
}

// TestTicketsAreGivenBack: on every path.
func TestTicketsAreGivenBack(t *testing.T) {
	fail := func() error { return hub.ErrForbidden }
	crash := func() error { panic("handshake") }
	begins := func(t *testing.T, s *server) { s.connect(t, nil) }
	refused := func(t *testing.T, s *server) { s.refused(t, nil) }
	auth := func(f func() error) hub.Option {
		return hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) { return hub.Identity{}, f() })
	}
	tests := []struct {
		name  string
		opts  []hub.Option
		setup func(s *server)
		path  func(t *testing.T, s *server)
	}{
		{"authenticator refuses", one(auth(fail)), nil, refused},
		{"authenticator panics", one(auth(crash)), nil, refused},
		{"OnHandshake refuses", nil, func(s *server) {
			s.OnHandshake(func(*http.Request, *hub.Conn) error { return fail() })
		}, refused},
		{"OnHandshake panics", nil, func(s *server) {
			s.OnHandshake(func(*http.Request, *hub.Conn) error { return crash() })
		}, refused},
		{"OnHandshake ends the goroutine", nil, func(s *server) {
			s.OnHandshake(func(*http.Request, *hub.Conn) error { panic(http.ErrAbortHandler) })
		}, refused},
		{"not a version", nil, nil, func(_ *testing.T, s *server) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"1"}}
			s.ServeHTTP(httptest.NewRecorder(), r)
		}},
		{"no socket to be had", nil, nil, func(_ *testing.T, s *server) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
				"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}
			s.ServeHTTP(httptest.NewRecorder(), r) // which cannot be hijacked
		}},
		{"OnConnect refuses", nil, func(s *server) {
			s.OnConnect(func(context.Context, *hub.Conn) error { return fail() })
		}, func(t *testing.T, s *server) { s.connect(t, nil).closed(protocol.CloseForbidden) }},
		{"OnConnect panics", nil, func(s *server) {
			s.OnConnect(func(context.Context, *hub.Conn) error { return crash() })
		}, func(t *testing.T, s *server) { s.connect(t, nil).closed(protocol.CloseHandlerPanic) }},
		{"plain client where a token is wanted", one(hub.WithTokenVerifier(
			func(context.Context, string) (hub.Identity, error) { return hub.Identity{}, nil })), nil,
			func(t *testing.T, s *server) { s.connect(t, nil).closed(protocol.CloseHelloExpected) }},
		{"no hello", one(hub.WithHandshakeTimeout(10 * time.Millisecond)), nil, func(t *testing.T, s *server) {
			s.connect(t, nil, protocol.Subprotocol).closed(protocol.CloseHelloTimeout)
		}},
		{"client vanishes", nil, nil, func(t *testing.T, s *server) { _ = s.dial(t).ws.NetConn().Close() }},
		{"client vanishes at once", nil, nil, func(t *testing.T, s *server) { _ = s.connect(t, nil).ws.NetConn().Close() }},
		{"OnDisconnect panics", nil, func(s *server) {
			s.OnDisconnect(func(context.Context, *hub.Conn, error) { panic("disconnect") })
		}, func(t *testing.T, s *server) { _ = s.dial(t).ws.Close() }},
		{"Shutdown", nil, nil, func(t *testing.T, s *server) { begins(t, s); begins(t, s); s.shutdown(t) }},
		{"Close", nil, nil, func(t *testing.T, s *server) {
			begins(t, s)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				s := tr.start(t, append(tt.opts, hub.WithMaxConns(10), hub.WithMaxPerIP(10), hub.WithMaxHandshakes(10))...)
				if tt.setup != nil {
					tt.setup(s)
				}
				tt.path(t, s)
				s.settled(t)
			})
		})
	}
}

// TestGateUnderShutdown: many come and go, and are refused hard and softly, when the hub is shut down.
func TestGateUnderShutdown(t *testing.T) {
	testenv.NoLeaks(t, goleak.IgnoreCurrent())
	const dialers, most = 16, 5
	s := start(t, hub.WithMaxConns(most), hub.WithMaxPerIP(1000), hub.WithMaxHandshakes(most), hub.WithSoftRefusals(50),
		hub.WithOrigins("*"), hub.WithDrain(50*time.Millisecond), hub.WithCloseTimeout(100*time.Millisecond))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range dialers {
		wg.Go(func() {
			var header http.Header
			if i%2 == 0 {
				header = http.Header{"Origin": {"https://page.example"}}
			}
			for {
				select {
				case <-stop:
					return
				default:
				}
				ws, resp, err := s.dialer().Dial(s.url, header)
				if resp != nil {
					_ = resp.Body.Close()
				}
				if err == nil {
					_, _, _ = ws.ReadMessage() // a welcome, or the close
					_ = ws.Close()
				}
				if n := s.Stats().Conns; n > most {
					t.Errorf("%d connections", n)
				}
			}
		})
	}
	await(t, "all has happened", func() bool {
		st := s.Stats()
		return st.Accepted > 20 && st.Admission.Soft > 0 && st.Admission.AtCapacity > st.Admission.Soft
	})
	s.shutdown(t)
	close(stop)
	wg.Wait()
	s.settled(t)
}

// TestResumingFirst: who comes back takes a token that is refused to who is new.
func TestResumingFirst(t *testing.T) {
	var mu sync.Mutex
	now := time.Unix(0, 0)
	s := start(t, hub.WithAdmission(1, 3), hub.Clock(func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}))
	pass := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	fresh, back := *s, *s
	ticket := s.connect(t, nil).welcomed().Ticket
	fresh.url += "?" + protocol.ResumeParam + "=1" // the claim alone is worth nothing
	back.url += "?a=1&" + protocol.ResumeParam + "=" + ticket
	for range 2 {
		fresh.dial(t)
	}
	back.refused(t, nil) // and owed a place from now on
	pass(time.Second)
	if got := fresh.refused(t, nil); got.body != "too many new connections" {
		t.Errorf("new: %+v", got)
	}
	back.dial(t)
	if st := s.Stats().Admission; st.Resumed != 1 || st.RateLimited != 2 || st.ValidTickets != 2 || st.InvalidTickets != 3 {
		t.Errorf("stats %+v", st)
	}
}
