package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// TestGrantRaces: grants end while their clients join, leave and renew. What a client is told and where it is agree in the
// end, a client that is in a room has a right, and nothing of the rights is kept.
func TestGrantRaces(t *testing.T) {
	raceGrants(t, []*server{startShortGrants(t)}, 150, func(int64) {})
}

// TestGrantRacesOverNodes is the same on three nodes, whose Redis hangs in the middle.
func TestGrantRacesOverNodes(t *testing.T) {
	const rounds, timeout = 100, 2 * time.Second
	r := redistest.Start(t)
	var nodes []*server
	for i := range 3 {
		b, err := redis.New([]string{r.Addr()}, redis.WithDialTimeout(timeout), redis.WithIOTimeout(timeout),
			redis.WithPresenceTTL(10*time.Second, 500*time.Millisecond)) // a refresh takes back who left meanwhile
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, startShortGrants(t, hub.WithNode(fmt.Sprint("n", i)), hub.WithBroker(b)))
	}
	goesOn := make(chan struct{})
	raceGrants(t, nodes, rounds, func(round int64) {
		if round == raceClients*rounds/2 {
			r.Pause()
			time.AfterFunc(3*timeout, func() {
				r.Continue()
				close(goesOn)
			})
		}
	})
	finished(t, "the hang", goesOn)
	await(t, "Redis knows that nobody is there", func() bool {
		list, err := nodes[0].Presence(t.Context(), "here", 10)
		return err == nil && list.Count == 0
	})
}

// startShortGrants starts a hub whose grants end after milliseconds.
func startShortGrants(t *testing.T, opts ...hub.Option) *server {
	s := start(t, append([]hub.Option{
		hub.RightsTick(time.Millisecond), hub.WithoutRateLimit(), hub.WithTokenVerifier(timedToken),
		hub.WithRooms("past", hub.DefaultHistory()), hub.WithRooms("here", hub.Presence()),
	}, opts...)...)
	var calls atomic.Int64
	s.OnJoinGrant(func(context.Context, *hub.Conn, string) (hub.Grant, error) {
		return hub.Grant{ExpiresAt: time.Now().Add(time.Duration(1+calls.Add(1)%5) * time.Millisecond)}, nil
	})
	return s
}

const raceClients = 20

// raceGrants tells did how many rounds were made, after each.
func raceGrants(t *testing.T, nodes []*server, rounds int, did func(round int64)) {
	t.Helper()
	conns := sync.Map{}
	for _, s := range nodes {
		s.OnConnect(func(_ context.Context, c *hub.Conn) error { conns.Store(c.ID(), c); return nil })
	}
	var ends, made atomic.Int64
	var all sync.WaitGroup
	for i := range raceClients {
		s := nodes[i%len(nodes)]
		room := []string{"plain", "past", "here"}[i/len(nodes)%3] // on each node
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
				did(made.Add(1))
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
	for _, s := range nodes {
		s.rightsGone(t)
	}
	t.Logf("%d rounds, %d grants have ended", made.Load(), ends.Load())
}
