package brokertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

var busChecks = []check{
	{"Bus", hasBus, checkBus},
	{"BusNodes", hasBus, checkBusNodes},
}

// Broadcast reaches every node, Send one of them.
func checkBus(t testing.TB, w *world) {
	one, other := w.pair()
	bus := one.Broker.(broker.Bus)
	commanded := func(n *node, what string) {
		t.Helper()
		n.wait("command "+what, func(r *Recorder) bool {
			for _, c := range r.Commands() {
				if c.From == one.id && string(c.Payload) == what {
					return true
				}
			}
			return false
		})
	}
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	do("Broadcast", bus.Broadcast(w.ctx, []byte("all")))
	commanded(one, "all")
	commanded(other, "all")
	do("Send", bus.Send(w.ctx, one.id, []byte("to myself")))
	commanded(one, "to myself")
	do("Send", bus.Send(w.ctx, other.id, []byte{0, 0xff}))
	commanded(other, "\x00\xff")
	do("Broadcast", bus.Broadcast(w.ctx, []byte("last")))
	commanded(one, "last")
	commanded(other, "last")
	want := map[*node]int{one: 3, other: 3}
	if one == other {
		want[one] = 4
	}
	for n, count := range want {
		if got := n.rec.Commands(); len(got) != count {
			t.Errorf("%d commands, want %d: %q", len(got), count, got)
		}
	}
}

// Nodes lists those alive with what they announced.
func checkBusNodes(t testing.TB, w *world) {
	one, other := w.pair()
	infos := map[*node]broker.NodeInfo{
		one:   {Conns: 7, Rooms: 3, Capacity: 100, AdmitRate: 2.5},
		other: {Conns: 8, Draining: true},
	}
	for n, info := range infos {
		n.Broker.(broker.Bus).Announce(info)
	}
	before := time.Now().Add(-w.Deadline)
	for n := range infos {
		for about, info := range infos {
			w.eventually(fmt.Sprintf("%s to list %s with %+v", n.id, about.id, info), func() bool {
				nodes, err := n.Broker.(broker.Bus).Nodes(w.ctx)
				if err != nil {
					t.Fatalf("Nodes: %v", err)
				}
				for _, x := range nodes {
					if x.ID == about.id && x.NodeInfo == info && x.Seen.After(before) {
						return true
					}
				}
				return false
			})
		}
	}
}
