package e2e_test

import (
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
)

// TestCrowd: a member of a room that fills faster than its members are told of each hears how many they are, and asks who.
func TestCrowd(t *testing.T) {
	const members = 20
	ctx := start(t)
	s := serve(t, nil, hub.WithRooms("crowd", hub.Presence(hub.PresenceRate(1, 1))))
	type change struct {
		count  int
		spread time.Duration
	}
	changes := make(chan change, 100)
	u := connect(t, s.url())
	nothing := func(client.Message) {}
	u.subscribe(ctx, "crowd", nothing, client.OnMembersChanged(func(count int, spread time.Duration) { changes <- change{count, spread} }))
	for range members {
		connect(t, s.url()).subscribe(ctx, "crowd", nothing)
	}
	if c := receive(ctx, t, "the change", changes); c.count < 2 || c.count > members+1 || c.spread <= 0 {
		t.Errorf("told %+v", c)
	}
	p, err := u.Presence(ctx, "crowd")
	must(t, err)
	if p.Count != members+1 || len(p.Members) != members+1 {
		t.Errorf("asked, and told of %d of %d members, want %d", len(p.Members), p.Count, members+1)
	}
}
