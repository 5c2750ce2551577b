package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestHalfOpen: a network that carries nothing any more, and tells nobody. Both sides find out by their
// heartbeats, the others hear that the client is gone, and it resumes over another connection.
func TestHalfOpen(t *testing.T) {
	ctx := start(t)
	const interval, timeout = time.Second, time.Second
	s := serve(t, nil, hub.WithHeartbeat(heartbeat.Policy{Interval: interval, Timeout: timeout}))
	h, _ := s.current()
	ends := make(chan error, 10)
	var lost string
	h.OnDisconnect(func(_ context.Context, c *hub.Conn, err error) {
		if c.ID() == lost { // written before the network fails
			ends <- err
		}
	})
	n := newNetwork(t, s)

	type presence struct {
		joined bool
		conn   string
	}
	seen := make(chan presence, 100)
	beside := connect(t, s.url())
	beside.subscribe(ctx, "here:1", func(client.Message) {}, client.OnPresence(func(joined bool, m client.Member) {
		seen <- presence{joined, m.Conn}
	}))
	got := make(chan string, 100)
	u := connect(t, n.url(), client.WithHeartbeat(interval, timeout))
	u.subscribe(ctx, "here:1", func(m client.Message) { got <- string(m.Data) }, client.OnGap(func(g client.Gap) {
		t.Errorf("%+v", g)
	}))
	first := u.await(ctx, client.Connected).Conn
	publish := func(i int) {
		_, err := s.publish(ctx, "here:1", fmt.Sprint(i), "")
		must(t, err)
	}
	publish(1)
	if m := receive(ctx, t, "a message", got); m != "1" {
		t.Fatalf("got %s", m)
	}

	lost = first
	n.swallow(true)
	since := time.Now()
	for i := 2; i <= 20; i++ {
		publish(i)
	}
	st := u.await(ctx, client.Disconnected)
	noticed := time.Since(since)
	if !errors.Is(st.Err, client.ErrDead) {
		t.Errorf("the client was disconnected by %v", st.Err)
	}
	// Before that, it could not know; long after, another timeout would have been at work.
	if noticed < timeout || noticed > client.DefaultPingInterval {
		t.Errorf("the client noticed after %v", noticed)
	}
	if e := as[*hub.CloseError](t, receive(ctx, t, "the end at the hub", ends)); e.Code != protocol.CloseHeartbeatTimeout {
		t.Errorf("the hub was told %v", e)
	}
	t.Logf("the client noticed after %v, the hub within %v", noticed, time.Since(since))
	second := u.await(ctx, client.Connected).Conn
	for i := 2; i <= 20; i++ {
		if m := receive(ctx, t, "a missed message", got); m != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", m, i)
		}
	}
	publish(21)
	if m := receive(ctx, t, "a message", got); m != "21" {
		t.Fatalf("got %s", m)
	}
	wanted := map[presence]bool{{true, first}: true, {false, first}: true, {true, second}: true}
	for len(wanted) > 0 {
		delete(wanted, receive(ctx, t, fmt.Sprint("presence ", wanted), seen))
	}
}
