package hub_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

func TestSendUser(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithAuthenticator(asUser))
		ada1, ada2, ada3 := s.dialAs(t, "ada"), s.dialAs(t, "ada"), s.dialAs(t, "ada")
		bob, nobody := s.dialAs(t, "bob"), s.dial(t)
		if n := s.Stats().Users; n != 2 {
			t.Errorf("%d users, want 2", n)
		}
		send := func(user, data string) {
			t.Helper()
			if err := s.SendUser(t.Context(), user, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		send("ada", `{"n": 1}`)
		send("carol", `2`)
		send("", `3`) // the anonymous are nobody in particular
		for _, c := range []*client{ada1, ada2, ada3} {
			c.expect(`{"op":"message","data":{"n": 1}}`)
		}
		for _, c := range []*client{ada1, ada2, ada3, bob, nobody} {
			c.alive()
		}
		// One of several goes: first, last and in the middle.
		for i, c := range []*client{ada2, ada3, ada1} {
			_ = c.ws.Close()
			await(t, "it is gone", func() bool { return s.Stats().Conns == 4-i })
			send("ada", `4`)
			if i == 0 {
				ada1.expect(`{"op":"message","data":4}`)
				ada3.expect(`{"op":"message","data":4}`)
			}
			if i == 1 {
				ada1.expect(`{"op":"message","data":4}`)
			}
		}
		if n := s.Stats().Users; n != 1 {
			t.Errorf("%d users, want bob alone", n)
		}
		bob.alive()
	})
}

func TestDisconnect(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithAuthenticator(asUser))
		ends := make(chan error, 10)
		s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { ends <- err })
		ada1, ada2, bob, nobody := s.dialAs(t, "ada"), s.dialAs(t, "ada"), s.dialAs(t, "bob"), s.dial(t)
		for _, c := range []*client{ada1, ada2} {
			c.alive() // and taken by now
		}
		for _, user := range []string{"ada", "", "carol"} {
			if _, err := s.Disconnect(t.Context(), hub.ByUser(user), &hub.CloseError{Reason: "signed out"}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []*client{ada1, ada2} {
			if reason := c.closed(protocol.CloseDisconnected); reason != "signed out" {
				t.Errorf("reason %q", reason)
			}
			var ce *hub.CloseError
			if err := receive(t, "OnDisconnect", ends); !errors.As(err, &ce) || ce.Code != protocol.CloseDisconnected {
				t.Errorf("OnDisconnect: %v", err)
			}
		}
		bob.alive()
		nobody.alive()
		await(t, "ada is gone", func() bool { return s.Stats().Users == 1 })
	})
}

// TestDisconnectHasAnEnd: nobody stays whom the client's side does not let go.
func TestDisconnectHasAnEnd(t *testing.T) {
	s := start(t, hub.WithAuthenticator(asUser), hub.WithCloseTimeout(1))
	s.dialAs(t, "ada") // does not read, and so does not answer the close frame
	if _, err := s.Disconnect(t.Context(), hub.ByUser("ada"), nil); err != nil {
		t.Fatal(err)
	}
	await(t, "ada is gone", func() bool { return s.Stats().Conns == 0 })
}
