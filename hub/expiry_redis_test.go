package hub_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/protocol"
)

// TestRightsEndWhileRedisHangs: over three nodes, rights end at their time whether Redis answers or not, and Redis knows in the
// end who has left.
func TestRightsEndWhileRedisHangs(t *testing.T) {
	const life = 3 * time.Second
	r := redistest.Start(t)
	var nodes [3]*server
	for i := range nodes {
		b, err := redis.New([]string{r.Addr()})
		if err != nil {
			t.Fatal(err)
		}
		nodes[i] = start(t, fine, hub.WithNode(fmt.Sprint("n", i)), hub.WithBroker(b), hub.WithTokenVerifier(timedToken),
			hub.WithRooms("here", hub.Presence()), hub.WithRooms("past", hub.DefaultHistory()))
		nodes[i].OnJoinGrant(grantFor(life, false))
	}
	var members, short []*client
	for _, s := range nodes {
		m := s.dialV1(t, `{"op":"hello","token":"ada"}`)
		m.write(`{"op":"join","room":"past","id":1}`)
		m.write(`{"op":"join","room":"here","id":2}`)
		members = append(members, m)
		short = append(short, s.dialV1(t, fmt.Sprintf(`{"op":"hello","token":"bob %d"}`, life.Milliseconds())))
	}
	for _, m := range members {
		for ok := 0; ok < 2; {
			if r := m.read(); r.ID > 0 {
				if r.Op != "ok" {
					t.Fatalf("%+v", r)
				}
				ok++
			}
		}
	}
	r.Pause()
	goOn := sync.OnceFunc(r.Continue)
	defer goOn()
	for _, c := range short {
		c.closed(protocol.CloseTokenExpired)
	}
	for i, s := range nodes {
		await(t, "nobody is in a room any more", func() bool { return s.Rights() == 0 })
		left := map[string]bool{}
		for len(left) < 2 {
			if r := members[i].read(); r.Op == "left" {
				if r.Code != "expired" || left[r.Room] {
					t.Errorf("%+v", r)
				}
				left[r.Room] = true
			}
		}
		if r := members[i].nextAnswer(`{"op":"ping","id":9}`, 9); r.Op != "ok" { // word of the outage may come before it
			t.Errorf("%+v", r)
		}
	}
	r.Continue()
	await(t, "Redis knows that nobody is there", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		list, err := nodes[0].Presence(ctx, "here", 10)
		return err == nil && list.Count == 0
	})
}
