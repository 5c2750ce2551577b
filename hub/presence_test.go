package hub_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

func presenceServer(t *testing.T, tr transport) *server {
	return tr.start(t, hub.WithOpenRooms("*"), hub.WithRooms("here", hub.Presence()),
		hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
			id := hub.Identity{User: r.Header.Get("X-User")}
			if id.User != "" {
				id.Info = []byte(`{"status":"away"}`)
			}
			return id, nil
		}))
}

// enter joins a presence room. The event of the member's own coming may come to it too, or not.
func (c *client) enter(room string) {
	c.t.Helper()
	c.write(`{"op":"join","id":1,"room":"` + room + `"}`)
	for {
		r := c.read()
		if r.Op == "ok" && r.ID == 1 {
			return
		}
		if r.Op != "join" {
			c.t.Fatalf("got %+v", r)
		}
	}
}

// TestPresence: members hear of each other, and are listed.
func TestPresence(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := presenceServer(t, tr)
		first := s.dialAs(t, "ada")
		first.enter("here")
		second := s.dial(t)
		second.enter("here")
		ada := fmt.Sprintf(`{"conn":%q,"user":"ada","info":{"status":"away"}}`, first.id)
		anon := fmt.Sprintf(`{"conn":%q}`, second.id)
		join := `{"op":"join","room":"here","data":` + anon + `}`
		if got := first.nextAfter(`{"op":"ping"}`, `{"op":"join","room":"here","data":`+ada); got != join {
			t.Fatalf("got %s, want %s", got, join)
		}
		want := `{"op":"ok","id":2,"room":"here","data":{"count":2,"users":1,"members":[` + ada + `,` + anon + `]}}`
		first.write(`{"op":"presence","id":2,"room":"here"}`)
		first.expect(want)

		// The server sees the same.
		p, err := s.Presence(t.Context(), "here", 1)
		if err != nil || p.Count != 2 || !slices.EqualFunc(p.Members, []protocol.Member{{Conn: first.id, User: "ada"}},
			func(a, b protocol.Member) bool { return a.Conn == b.Conn && a.User == b.User }) {
			t.Errorf("Presence: %+v, %v", p, err)
		}

		second.write(`{"op":"leave","id":3,"room":"here"}`)
		first.expect(`{"op":"leave","room":"here","data":` + anon + `}`)
		third := s.dial(t)
		third.enter("here")
		first.read()
		_ = third.ws.Close()
		if r := first.read(); r.Op != "leave" {
			t.Errorf("got %+v, want the leave of a client that is gone", r)
		}
		_ = first.ws.Close()
		await(t, "the room is empty", func() bool {
			p, err := s.Presence(t.Context(), "here", 0)
			return err == nil && p.Count == 0 && len(p.Members) == 0
		})
	})
}

// TestPresenceAtShutdown: nobody is left behind.
func TestPresenceAtShutdown(t *testing.T) {
	s := presenceServer(t, poller)
	empty := make(chan int, 10)
	s.OnDisconnect(func(ctx context.Context, c *hub.Conn, _ error) {
		p, err := s.Presence(context.WithoutCancel(ctx), "here", 0)
		if err != nil || slices.ContainsFunc(p.Members, func(m protocol.Member) bool { return m.Conn == c.ID() }) {
			t.Errorf("%s is present after its end: %+v, %v", c.ID(), p, err)
		}
		empty <- p.Count
	})
	for range 3 {
		c := s.dial(t)
		c.enter("here")
		go c.end() //nolint:errcheck // it answers the close frame
	}
	s.shutdown(t)
	if len(empty) != 3 {
		t.Errorf("OnDisconnect was called %d times, want 3", len(empty))
	}
}
