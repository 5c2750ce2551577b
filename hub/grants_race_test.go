package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

// TestGrantRaces: grants end while their clients join, leave and renew. What a client is told and where it is agree in the
// end, a client that is in a room has a right, and nothing of the rights is kept.
func TestGrantRaces(t *testing.T) {
	const clients, rounds = 20, 150
	s := start(t, hub.RightsTick(time.Millisecond), hub.WithoutRateLimit(), hub.WithTokenVerifier(timedToken),
		hub.WithRooms("past", hub.DefaultHistory()), hub.WithRooms("here", hub.Presence()))
	var calls, ends atomic.Int64
	s.OnJoinGrant(func(context.Context, *hub.Conn, string) (hub.Grant, error) {
		return hub.Grant{ExpiresAt: time.Now().Add(time.Duration(1+calls.Add(1)%5) * time.Millisecond)}, nil
	})
	conns := sync.Map{}
	s.OnConnect(func(_ context.Context, c *hub.Conn) error { conns.Store(c.ID(), c); return nil })
	var all sync.WaitGroup
	for i := range clients {
		room := []string{"plain", "past", "here"}[i%3]
		all.Go(func() {
			c := s.dialV1(t, `{"op":"hello","token":"ada"}`)
			in, answers := false, 0
			note := func(r reply) {
				switch {
				case r.Room != room:
				case r.Op == "left":
					if !in {
						t.Errorf("client %d left %s twice: %+v", i, room, r)
					}
					in = false
					ends.Add(1)
				case r.Op == "ok" && r.ID == 1:
					in = true
				case r.Op == "ok" && r.ID == 2:
					in = false
				}
				if r.ID > 0 {
					answers++
				}
			}
			for j := range rounds {
				c.write(fmt.Sprintf(`{"op":"join","id":1,"room":%q}`, room))
				c.write(fmt.Sprintf(`{"op":"token","id":3,"room":%q,"token":"ada"}`, room))
				if j%3 == 0 {
					c.write(fmt.Sprintf(`{"op":"leave","id":2,"room":%q}`, room))
				}
				time.Sleep(time.Duration((i*7+j*3)%60) * 100 * time.Microsecond)
				c.write(`{"op":"ping","id":4}`)
				for answers = 0; answers < 3+(j+2)%3/2; {
					p, err := c.tryNext()
					if err != nil {
						t.Errorf("client %d: %v", i, err)
						return
					}
					var r reply
					if err := json.Unmarshal(p, &r); err != nil {
						t.Errorf("%s: %v", p, err)
					}
					note(r)
				}
			}
			conn, _ := conns.Load(c.id)
			for in {
				note(c.read())
			}
			if rooms := conn.(*hub.Conn).Rooms(); len(rooms) != 0 {
				t.Errorf("client %d is still in %q", i, rooms)
			}
			_ = c.ws.Close()
		})
	}
	all.Wait()
	if ends.Load() == 0 {
		t.Error("no grant has ended")
	}
	s.rightsGone(t)
}
