package hub_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// gatekeeper stands for what asks a session store, and has its answer before the session ends.
type gatekeeper struct {
	asked, answer chan struct{}
}

func newGatekeeper() *gatekeeper {
	return &gatekeeper{asked: make(chan struct{}, 1), answer: make(chan struct{})}
}

// identify takes its time for users whose name begins with "slow".
func (g *gatekeeper) identify(name string) hub.Identity {
	if len(name) >= 4 && name[:4] == "slow" {
		g.asked <- struct{}{}
		<-g.answer
	}
	return hub.Identity{User: name}
}

// TestDisconnectOnTheWayIn: whoever has been let in by a session that ended meanwhile does not stay.
func TestDisconnectOnTheWayIn(t *testing.T) {
	disconnect := func(t *testing.T, s *server, user string) {
		t.Helper()
		if _, err := s.Disconnect(t.Context(), hub.ByUser(user), &hub.CloseError{Reason: "signed out"}); err != nil {
			t.Fatal(err)
		}
	}
	overEach(t, func(t *testing.T, tr transport) {
		t.Run("while the authenticator is asked", func(t *testing.T) {
			g := newGatekeeper()
			s := tr.start(t, hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
				return g.identify(r.Header.Get("X-User")), nil
			}))
			arriving := make(chan *client, 2)
			for _, subprotocols := range [][]string{nil, {protocol.Subprotocol}} {
				go func() { arriving <- s.connect(t, http.Header{"X-User": {"slow ada"}}, subprotocols...) }()
				receive(t, "the authenticator is asked", g.asked)
			}
			disconnect(t, s, "bob")
			disconnect(t, s, "slow ada")
			bob := s.dialAs(t, "bob") // after it, while others are still on their way
			close(g.answer)
			for range 2 {
				if reason := receive(t, "the handshake", arriving).closed(protocol.CloseDisconnected); reason != "signed out" {
					t.Errorf("reason %q", reason)
				}
			}
			bob.alive()
			s.dialAs(t, "slow ada").alive()
		})
		t.Run("while the hello is awaited", func(t *testing.T) {
			s := tr.start(t, hub.WithAuthenticator(asUser))
			c := s.connect(t, http.Header{"X-User": {"ada"}}, protocol.Subprotocol)
			await(t, "she is found", func() bool { return s.Stats().Users == 1 })
			disconnect(t, s, "ada")
			c.closed(protocol.CloseDisconnected)
		})
		t.Run("while the token is verified", func(t *testing.T) {
			g := newGatekeeper()
			s := tr.start(t, hub.WithAuthenticator(asUser), hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
				return g.identify(token), nil
			}))
			c := s.connect(t, http.Header{"X-User": {"cookie"}}, protocol.Subprotocol)
			c.write(`{"op":"hello","token":"slow ada"}`)
			receive(t, "the verifier is asked", g.asked)
			disconnect(t, s, "slow ada")
			close(g.answer)
			c.closed(protocol.CloseDisconnected)
			await(t, "nobody is left", func() bool { st := s.Stats(); return st.Conns == 0 && st.Users == 0 })
		})
		t.Run("under the name before the token's", func(t *testing.T) {
			s := tr.start(t, hub.WithAuthenticator(asUser), hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
				return hub.Identity{User: token}, nil
			}))
			c := s.connect(t, http.Header{"X-User": {"cookie"}}, protocol.Subprotocol)
			c.write(`{"op":"hello","token":"ada"}`)
			c.welcomed()
			disconnect(t, s, "cookie")
			if n := s.Stats().Users; n != 1 {
				t.Errorf("%d users, want ada alone", n)
			}
			c.alive()
		})
	})
}

// TestSendUserBeforeTheWelcome: it is for those who are welcomed, to whom the welcome comes first.
func TestSendUserBeforeTheWelcome(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithAuthenticator(asUser))
		c := s.connect(t, http.Header{"X-User": {"ada"}}, protocol.Subprotocol)
		await(t, "she is found", func() bool { return s.Stats().Users == 1 })
		bob := s.dialAs(t, "bob")
		send := func(user, data string) {
			t.Helper()
			if err := s.SendUser(t.Context(), user, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		send("ada", `1`)
		send("bob", `2`) // who has it shows that the one before it was tried
		bob.expect(`{"op":"message","data":2}`)
		c.write(`{"op":"hello"}`)
		c.welcomed()
		send("ada", `3`)
		c.expect(`{"op":"message","data":3}`)
	})
}
