package hub_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestCloseWith: the application chooses code, reason and hint, and nothing that a close frame cannot carry goes out.
func TestCloseWith(t *testing.T) {
	cause := errors.New("a cause")
	for _, tt := range []struct {
		name   string
		why    *hub.CloseError
		code   protocol.CloseCode
		reason string
		fault  bool
	}{
		{"a reason", &hub.CloseError{Code: 4321, Reason: "enough", Err: cause}, 4321, "enough", false},
		{"a hint", &hub.CloseError{Code: protocol.CloseTryAgainLater, Reason: "later", RetryAfter: 1500 * time.Millisecond, Spread: time.Second, Err: cause},
			protocol.CloseTryAgainLater, `{"retry_after_ms":1500,"spread_ms":1000,"reason":"later"}`, false},
		{"a negative hint", &hub.CloseError{Code: 4321, RetryAfter: -1, Err: cause}, 4321, ``, false},
		{"no code", &hub.CloseError{Reason: "enough", Err: cause}, protocol.CloseInternal, "enough", true},
		{"a code of no frame", &hub.CloseError{Code: protocol.CloseAbnormal, Err: cause}, protocol.CloseInternal, "", true},
		{"nil", nil, protocol.CloseInternal, "", true},
	} {
		overEach(t, func(t *testing.T, tr transport) {
			t.Run(tt.name, func(t *testing.T) {
				s := tr.start(t)
				conns, ends := s.watchConns(), make(chan error, 1)
				s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { ends <- err })
				cl := s.dial(t)
				c := receive(t, "OnConnect", conns)
				why := tt.why
				if why != nil {
					own := *why
					why = &own
				}
				err := c.CloseWith(why)
				if why != nil {
					why.Code, why.Reason = 4444, "changed" // it is the caller's again
				}
				if errors.Is(err, hub.ErrCloseCode) != tt.fault || err == nil == tt.fault {
					t.Errorf("CloseWith: %v", err)
				}
				if reason := cl.closed(tt.code); reason != tt.reason {
					t.Errorf("reason %q", reason)
				}
				var ce *hub.CloseError
				end := receive(t, "OnDisconnect", ends)
				if !errors.As(end, &ce) || ce.Code != tt.code || tt.why != nil && !errors.Is(end, cause) {
					t.Errorf("OnDisconnect: %v", end)
				}
			})
		})
	}
}

// TestDisconnectTargets: just the connections that are meant are closed, and counted.
func TestDisconnectTargets(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithAuthenticator(asUser))
		conns := s.watchConns()
		arrive := func(hello string) (*client, *hub.Conn) {
			c := s.dialV1(t, hello)
			return c, receive(t, "OnConnect", conns)
		}
		one, c1 := arrive(`{"op":"hello"}`)
		again, c2 := arrive(`{"op":"hello","session":"` + s.SessionOf(c1.ID()) + `"}`)
		other, c3 := arrive(`{"op":"hello"}`)
		if c2.Session() != c1.ID() || c2.Session() != c1.Session() {
			t.Fatalf("sessions %q and %q", c1.Session(), c2.Session())
		}
		why := &hub.CloseError{Code: 4321, Reason: "enough", Spread: time.Second}
		disconnect := func(whose hub.Target, why *hub.CloseError, want int) {
			t.Helper()
			done, err := s.Disconnect(t.Context(), whose, why)
			if err != nil || done.Total() != want || len(done.Nodes) != 1 || done.Nodes["n1"] != want || done.Silent != nil {
				t.Errorf("Disconnect: %+v, %v, want %d", done, err, want)
			}
		}
		disconnect(hub.Target{}, why, 0)
		disconnect(hub.ByUser(""), why, 0)
		disconnect(hub.BySession(""), why, 0)
		disconnect(hub.ByConn(""), why, 0)
		disconnect(hub.ByConn(c3.ID()+"0"), why, 0)
		disconnect(hub.ByConn("another-node-1"), why, 0)
		disconnect(hub.BySession(c3.ID()+"0"), why, 0)
		disconnect(hub.BySession(c1.Session()), why, 2)
		disconnect(hub.BySession(c1.Session()), why, 0) // they are going
		for _, c := range []*client{one, again} {
			if reason := c.closed(4321); reason != `{"spread_ms":1000,"reason":"enough"}` {
				t.Errorf("reason %q", reason)
			}
		}
		other.alive()
		if _, err := s.Disconnect(t.Context(), hub.ByConn(c3.ID()), &hub.CloseError{Code: 99}); !errors.Is(err, hub.ErrCloseCode) {
			t.Errorf("a code of no frame: %v", err)
		}
		other.alive()
		disconnect(hub.ByConn(c3.ID()), nil, 1)
		other.closed(protocol.CloseDisconnected)
	})
}
