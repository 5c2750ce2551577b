package brokertest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/broker"
)

var occupancyChecks = []check{
	{"Occupancy", hasOccupancy, checkOccupancy},
	{"OccupancyRace", hasOccupancy, checkOccupancyRace},
}

// tend calls Tend until it asks to be called later, as a node does before it has members. No node is gone, so no room has changed.
func (n *node) tend() {
	n.w.t.Helper()
	n.w.eventually("a Tend that is done", func() bool {
		o, err := n.Broker.(broker.Occupancy).Tend(n.w.ctx)
		if err != nil || len(o.Used)+len(o.Empty) > 0 {
			n.w.t.Fatalf("Tend: %+v, %v; want no rooms", o, err)
		}
		return o.Again > 0
	})
}

func (n *node) occupy(room string) (first bool) {
	first, err := n.Broker.(broker.Occupancy).Occupy(n.w.ctx, room)
	if err != nil {
		n.w.t.Errorf("Occupy %s: %v", room, err)
	}
	return first
}

func (n *node) vacate(room string) (last bool) {
	last, err := n.Broker.(broker.Occupancy).Vacate(n.w.ctx, room)
	if err != nil {
		n.w.t.Errorf("Vacate %s: %v", room, err)
	}
	return last
}

// The first node with members is told so, and the last. What one room is does not matter to another.
func checkOccupancy(t testing.TB, w *world) {
	a, b := w.pair()
	a.tend()
	b.tend()
	room, other := w.room("used"), w.room("used")
	for range 2 { // once more, as if it had never been used
		if !a.occupy(room) {
			t.Error("Occupy on the first node: first is false")
		}
		if a != b && b.occupy(room) {
			t.Error("Occupy on the second node: first is true")
		}
		if !b.occupy(other) || !b.vacate(other) {
			t.Error("another room is not used and empty by itself")
		}
		a.tend()
		b.tend()
		if a != b && a.vacate(room) {
			t.Error("Vacate with members on another node: last is true")
		}
		if !b.vacate(room) {
			t.Error("Vacate on the last node: last is false")
		}
	}
}

// Nodes that begin and end at once agree on who was first and who was last.
func checkOccupancyRace(t testing.TB, w *world) {
	const rounds = 50
	nodes := make([]*node, min(w.Nodes, 3))
	for i := range nodes {
		nodes[i] = w.node()
		nodes[i].tend()
	}
	for i := range rounds {
		room := w.room(fmt.Sprint("raced", i))
		for _, step := range []struct {
			name string
			do   func(*node) bool
		}{
			{"Occupy", func(n *node) bool { return n.occupy(room) }},
			{"Vacate", func(n *node) bool { return n.vacate(room) }},
		} {
			var all sync.WaitGroup
			var told atomic.Int32
			for _, n := range nodes {
				all.Go(func() {
					if step.do(n) {
						told.Add(1)
					}
				})
			}
			all.Wait()
			if told := told.Load(); told != 1 {
				t.Fatalf("%s of %d nodes at once: %d are told, want one", step.name, len(nodes), told)
			}
		}
	}
}
