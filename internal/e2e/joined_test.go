package e2e_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
)

// TestJoinedIsJoined: once the answer to a join has come, nothing is missed, events included.
func TestJoinedIsJoined(t *testing.T) {
	ctx := start(t)
	s := serve(t, nil, hub.WithoutRateLimit())
	fast := client.WithRate(math.Inf(1), 1)
	a, b := connect(t, s.url(), fast), connect(t, s.url(), fast)
	first := make(chan string, 1)
	for i := range 300 {
		room := fmt.Sprint("plain:", i)
		a.subscribe(ctx, room, func(m client.Message) { first <- string(m.Data) })
		_, err := s.publish(ctx, room, fmt.Sprint(i), "")
		must(t, err)
		if got := receive(ctx, t, "the message published after the join", first); got != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", got, i)
		}
		must(t, a.leave(ctx, room))
	}
	came := make(chan string, 10)
	other := b.await(ctx, client.Connected).Conn
	for i := range 300 {
		room := fmt.Sprint("here:", i)
		a.subscribe(ctx, room, func(client.Message) {}, client.OnPresence(func(joined bool, m client.Member) {
			if joined && m.Conn == other {
				came <- m.Conn
			}
		}))
		b.subscribe(ctx, room, func(client.Message) {})
		receive(ctx, t, "the coming of one who came after the join", came)
		must(t, a.leave(ctx, room))
		must(t, b.leave(ctx, room))
	}
}
