package cluster_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// refused wants a publication to fail promptly because Redis is away.
func refused(t testing.TB, n *node, room string) {
	t.Helper()
	begin := time.Now()
	if err := n.ask(nil, "/publish", `"lost"`, "room", room); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("publishing in %s: %v, want ErrUnavailable", room, err)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("publishing in %s took %v to fail", room, d)
	}
}

// Redis dies and comes back with what it had. Meanwhile each policy does what it says; afterwards every
// subscription and every member is there again, and nothing accepted is missing.
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"refuse", "degrade"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			degrade := policy == "degrade"
			r := redistest.Start(t, "appendonly yes")
			var n []*node
			for _, name := range []string{"a", "b"} {
				n = append(n, startNode(t, name, []string{r.Addr()}, append(hasty, fmt.Sprintf("-degrade=%v", degrade))...))
			}
			rooms := []string{"plain", "past", "both"}
			ada, bob := joined(t, n[0], "ada", rooms...), joined(t, n[1], "bob", rooms...)
			everybody := []*peer{ada, bob}
			for _, room := range rooms {
				n[0].publish(room, `"before"`)
				bob.await("a message", saying(room, `"before"`))
			}
			r.Kill()
			for _, p := range everybody {
				p.await("word of the outage", op("stale"))
			}
			for _, node := range n {
				if ready := node.ready(); ready != degrade {
					t.Errorf("node %s is ready: %v, want %v", node.name, ready, degrade)
				}
			}
			refused(t, n[0], "past")
			if degrade {
				if pos := n[0].publish("plain", `"local"`); pos != (broker.Position{}) {
					t.Errorf("a local message has the position %+v", pos)
				}
				ada.await("the local message", saying("plain", `"local"`))
				bob.sync()
				if got := bob.frames(saying("plain", `"local"`)); len(got) > 0 {
					t.Errorf("another node delivered %v", got)
				}
				if s := n[0].stats(); s.Hub.Degraded != 1 || !s.Hub.Stale {
					t.Errorf("stats: %d degraded, stale: %v", s.Hub.Degraded, s.Hub.Stale)
				}
			} else {
				refused(t, n[0], "plain")
			}
			cleo := dial(t, n[0], "cleo") // comes in the midst of it
			cleo.await("word of the outage", op("stale"))
			if f := cleo.request(`"op":"join","room":"past"`); f.Code != "unavailable" {
				t.Errorf("joining during the outage: %v, want unavailable", f)
			}
			r.Restart()
			for _, p := range append(everybody, cleo) {
				p.await("word of the return", op("live"))
			}
			cleo.join("past")
			for i, node := range n {
				if !node.ready() {
					t.Errorf("node %s is not ready after the return", node.name)
				}
				for _, room := range rooms {
					node.publish(room, fmt.Sprintf(`"after %d"`, i))
				}
			}
			for i := range n {
				for _, room := range rooms {
					for _, p := range everybody {
						p.await("a message after the return", saying(room, fmt.Sprintf(`"after %d"`, i)))
					}
				}
				cleo.await("a message after the return", saying("past", fmt.Sprintf(`"after %d"`, i)))
			}
			for _, p := range everybody {
				for _, room := range rooms[1:] {
					got := p.frames(message(room))
					for i, f := range got {
						if f.Offset != uint64(i+1) || f.Epoch != got[0].Epoch {
							t.Errorf("message %d in %s is %v", i, room, f)
						}
					}
				}
				if gaps := p.frames(op("gap")); len(gaps) > 0 {
					t.Errorf("gaps though nothing was lost: %v", gaps)
				}
			}
			n[1].awaitUsers("both", "ada", "bob")
		})
	}
}

// One node is cut off while another goes on publishing. What its clients missed comes before they are told that all
// is well.
func TestPartition(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	w := startWire(t, r.Addr())
	a, b := startNode(t, "a", []string{w.addr()}, hasty...), startNode(t, "b", []string{r.Addr()})
	const rooms, messages = 20, 300
	ada := dial(t, a, "ada")
	for i := range rooms {
		ada.join(fmt.Sprint("past:", i))
	}
	w.setCut(true)
	ada.await("word of the outage", op("stale"))
	if a.ready() || !b.ready() {
		t.Errorf("ready: a %v, b %v; want b alone", a.ready(), b.ready())
	}
	for i := range messages {
		b.publish(fmt.Sprint("past:", i%rooms), fmt.Sprint(i))
	}
	w.setCut(false)
	ada.await("word of the return", op("live"))
	all := ada.frames(func(frame) bool { return true })
	next := make(map[string]uint64)
	heard := 0
	for _, f := range all {
		if f.Op == "live" {
			break
		}
		if f.Op == "message" {
			heard++
			if next[f.Room]++; f.Offset != next[f.Room] {
				t.Fatalf("%v, want offset %d", f, next[f.Room])
			}
		}
	}
	if heard != messages {
		t.Errorf("%d messages before live, want %d", heard, messages)
	}
	if s := a.stats(); s.Broker.CaughtUp == 0 || s.Broker.Gaps != 0 {
		t.Errorf("stats of node a: %+v", s.Broker)
	}
}

// Redis comes back empty: in every room with history there is a gap where the history ended, for those who were there
// and for those who come back later, and then it goes on.
func TestRedisComesBackEmpty(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	n := startNodesWith(t, r, hasty, "a", "b")
	ada, bob := joined(t, n[0], "ada", "past", "both", "plain"), joined(t, n[1], "bob", "past", "both", "plain")
	var last frame
	for i := range 5 {
		for _, room := range []string{"past", "both"} {
			n[i%2].publish(room, fmt.Sprint(i))
			last = bob.await("a message", saying(room, fmt.Sprint(i)))
		}
	}
	r.Forget()
	for _, p := range []*peer{ada, bob} {
		for _, room := range []string{"past", "both"} {
			f := p.await("a gap", func(f frame) bool { return f.Op == "gap" && f.Room == room })
			if f.Epoch == last.Epoch {
				t.Errorf("%v after %v, want another epoch", f, last)
			}
		}
		p.await("word of the return", op("live"))
	}
	for i, room := range []string{"past", "both", "plain"} {
		n[0].publish(room, `"new"`)
		for _, p := range []*peer{ada, bob} {
			if f := p.await("a message after the gap", saying(room, `"new"`)); i < 2 && f.Offset != 1 {
				t.Errorf("%v, want the first of its epoch", f)
			}
		}
	}
	// The server may answer the position first, and then says what it is worth.
	cleo := dial(t, n[1], "cleo")
	cleo.request(fmt.Sprintf(`"op":"join","room":"past","epoch":%q,"offset":%d`, last.Epoch, last.Offset))
	if f := cleo.await("a gap", op("gap")); f.Offset != 1 {
		t.Errorf("%v, want one up to offset 1", f)
	}
	n[0].publish("past", `"next"`)
	if f := cleo.await("the next message", message("past")); f.Offset != 2 {
		t.Errorf("%v after the gap, want offset 2", f)
	}
	n[1].awaitUsers("both", "ada", "bob")
}
