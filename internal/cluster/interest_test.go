package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/redistest"
)

// A message goes to the nodes that have members in its room, and Redis sends it to no other.
func TestOnlyInterestedNodesHear(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	n := startNodes(t, r, "a", "b", "c")
	idle := channels(t, r, "c")
	for _, room := range []string{"plain", "past", "both"} {
		ada, bob := joined(t, n[0], "ada", room), joined(t, n[1], "bob", room)
		cleo := dial(t, n[2], "cleo") // in no room
		if s := subscribers(r, room); s != "2" {
			t.Errorf("%s subscribers of %s, want 2", s, room)
		}
		n[2].publish(room, `"from c"`)
		n[0].publish(room, `"from a"`)
		if s := r.Do("PUBLISH", "hubkit:{"+room+"}", `"from elsewhere"`); s != "2" {
			t.Errorf("PUBLISH to %s reached %s nodes, want 2", room, s)
		}
		for _, p := range []*peer{ada, bob} {
			got := p.awaitN(3, "the messages", message(room))
			for i, want := range []string{`"from c"`, `"from a"`, `"from elsewhere"`} {
				if string(got[i].Data) != want {
					t.Errorf("message %d in %s is %s, want %s", i, room, got[i].Data, want)
				}
			}
		}
		cleo.sync()
		if got := cleo.frames(op("message")); len(got) > 0 {
			t.Errorf("a client in no room got %v", got)
		}
	}
	if now := channels(t, r, "c"); now != idle || idle == 0 {
		t.Errorf("node c is subscribed to %d channels, to begin with to %d, want no change", now, idle)
	}
	if s := n[2].stats(); s.Hub.Rooms != 0 || s.Hub.Delivered != 0 {
		t.Errorf("node c has %d rooms and has delivered %d messages, want none", s.Hub.Rooms, s.Hub.Delivered)
	}
}

// A room that is left and joined again within the linger stays subscribed; after it, the node is rid of it.
func TestLinger(t *testing.T) {
	t.Parallel()
	const linger = 400 * time.Millisecond
	r := redistest.Start(t)
	n := startNode(t, "a", []string{r.Addr()}, "-linger", linger.String())
	p := joined(t, n, "ada", "plain")
	calls := func() string {
		for line := range strings.Lines(r.Do("INFO", "commandstats")) {
			if stats, ok := strings.CutPrefix(line, "cmdstat_subscribe:"); ok {
				calls, _, _ := strings.Cut(stats, ",")
				return calls
			}
		}
		return ""
	}
	before := calls()
	for quick := 0; quick < 5; quick++ {
		left := time.Now()
		p.leave("plain")
		p.join("plain")
		if time.Since(left) >= linger { // on a busy machine
			before, quick = calls(), -1
		}
	}
	for begin := time.Now(); time.Since(begin) < 2*linger; time.Sleep(10 * time.Millisecond) {
		if s := subscribers(r, "plain"); s != "1" {
			t.Fatalf("%s subscribers while there is a member", s)
		}
	}
	if now := calls(); now != before || before == "" {
		t.Errorf("SUBSCRIBE %q after %q: the subscription was not kept", now, before)
	}
	n.publish("plain", `1`)
	p.await("a message", saying("plain", "1"))

	begin := time.Now()
	p.leave("plain")
	eventually(t, "the subscription to end", func() bool { return subscribers(r, "plain") == "0" })
	if d := time.Since(begin); d < linger {
		t.Errorf("unsubscribed after %v, want no earlier than %v", d, linger)
	}
	p.join("plain")
	if s := subscribers(r, "plain"); s != "1" {
		t.Errorf("%s subscribers after another join, want 1", s)
	}
	n.publish("plain", `2`)
	p.await("a message", saying("plain", "2"))
}
