package hub_test

import (
	"context"
	"errors"
	"testing"
	"time"

	hubclient "github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
)

// TestCosts counts how many requests a burst of 100 allows.
func TestCosts(t *testing.T) {
	const burst = 100
	own := hub.Costs{Join: 9, JoinPresence: 10, Replayed: 0.5, History: 0.9, Presence: 49}
	for name, tt := range map[string]struct {
		costs   hub.Costs
		request string
		each    int // what it costs with the message
	}{
		"presence, own costs":      {own, `{"op":"presence","id":1,"room":"here"}`, 50},
		"count of presence":        {own, `{"op":"presence","id":1,"room":"here","count":true}`, 1},
		"ping":                     {hub.DefaultCosts(), `{"op":"ping","id":1}`, 1},
		"join":                     {hub.DefaultCosts(), `{"op":"join","id":1,"room":"plain"}`, 1},
		"join with presence":       {hub.DefaultCosts(), `{"op":"join","id":1,"room":"here"}`, 2},
		"join with 50 messages":    {hub.DefaultCosts(), `{"op":"join","id":1,"room":"past","history":50}`, 6},
		"history of 50":            {hub.DefaultCosts(), `{"op":"history","id":1,"room":"past"}`, 6},
		"history of 10":            {hub.DefaultCosts(), `{"op":"history","id":1,"room":"past","limit":10,"reverse":true}`, 2},
		"join, own costs":          {own, `{"op":"join","id":1,"room":"plain"}`, 10},
		"join with presence, own":  {own, `{"op":"join","id":1,"room":"here"}`, 20},
		"history of 10, own costs": {own, `{"op":"history","id":1,"room":"past","limit":10}`, 10},
		"replay of 50, own costs":  {own, `{"op":"join","id":1,"room":"past","history":50}`, 35},
		"nothing costs more":       {hub.Costs{}, `{"op":"join","id":1,"room":"past","history":50}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, hub.WithOpenRooms("*"), hub.WithRateLimit(0.001, burst), hub.WithCosts(tt.costs),
				hub.WithRooms("past", hub.History(50, time.Hour)), hub.WithRooms("here", hub.Presence()))
			s.OnConnect(func(ctx context.Context, c *hub.Conn) error {
				return errors.Join(c.Join(ctx, "past"), c.Join(ctx, "here"))
			}) // which costs nothing
			for i := range 50 {
				s.publish(t, "past", i)
			}
			c := s.dial(t)
			c.read() // it is in the room
			want := (burst-1)/tt.each + 1
			answer := func() reply {
				for {
					if r := c.read(); r.ID == 1 {
						return r
					}
				}
			}
			for n := range want {
				c.write(tt.request)
				if r := answer(); r.Op != "ok" {
					t.Fatalf("request %d of %d: %+v", n+1, want, r)
				}
			}
			c.write(tt.request)
			if r := answer(); r.Code != "rate_limited" {
				t.Errorf("after %d requests: %+v", want, r)
			}
		})
	}
}

// TestCostOfTokens: each new token in place costs what the table says, refused or not, and that of the hello is one message.
func TestCostOfTokens(t *testing.T) {
	for _, token := range []string{"ada", "eve"} {
		s := start(t, hub.WithRateLimit(0.001, 100), hub.WithTokenVerifier(timedToken))
		c := s.dialV1(t, `{"op":"hello","token":"ada"}`)
		asked := 0
		for r := (reply{}); r.Code != "rate_limited"; asked++ {
			r = c.ask(`{"op":"token","id":1,"token":"` + token + `"}`)
			if asked > 100 {
				t.Fatal("never refused")
			}
		}
		if each := 1 + int(hub.DefaultCosts().Token); asked-1 != (99-1)/each+1 {
			t.Errorf("%d tokens of %s were looked at", asked-1, token)
		}
	}
}

// TestReadingHistoryIsPaced: a client that reads a long history waits when it has read more than the rate allows, and reads all
// of it. It is refused now and then, and not closed for it.
func TestReadingHistoryIsPaced(t *testing.T) {
	const messages = 600
	s := start(t, hub.WithOpenRooms("*"), hub.WithRateLimit(1000, 20), hub.WithRooms("past", hub.History(messages, time.Hour)))
	for i := range messages {
		s.publish(t, "past", i)
	}
	c := s.goClientIn(t, "past")
	for range 5 {
		n := 0
		for _, err := range c.HistoryMessages(t.Context(), "past", hubclient.HistoryQuery{Limit: 20}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != messages {
			t.Errorf("read %d of %d", n, messages)
		}
	}
	if st := s.Stats(); st.Accepted != 1 {
		t.Errorf("%d connections, want one: it was closed", st.Accepted)
	}
}
