package brokertest

import (
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// DefaultDeadline is how long the suite waits for an event by default: 10 s.
const DefaultDeadline = 10 * time.Second

// World is a set of nodes that receive each other's messages, in which the suite runs.
type World struct {
	// NewNode makes the broker of a new node, connected to the world and not yet started. The suite
	// starts and closes it.
	NewNode func(t testing.TB) broker.Broker
	// Nodes is the number of nodes that the world can have at once, at least 1.
	Nodes int
	// Forget deletes all stored data, as when a server comes back empty. It is nil if that cannot happen.
	// The nodes may notice it late, and may report broker.Stale meanwhile.
	Forget func(t testing.TB)
	// Deadline is how long the suite waits for an event. Zero means DefaultDeadline.
	Deadline time.Duration
}

// check is one test of the suite. It takes a testing.TB so that the suite's own tests can see it fail.
type check struct {
	name string
	// needs tells whether the check applies; nil means always.
	needs func(World, broker.Broker) bool
	run   func(t testing.TB, w *world)
}

func hasHistory(_ World, b broker.Broker) bool  { _, ok := b.(broker.History); return ok }
func hasPresence(_ World, b broker.Broker) bool { _, ok := b.(broker.Presence); return ok }
func hasSecrets(_ World, b broker.Broker) bool  { _, ok := b.(broker.Secrets); return ok }
func hasBus(_ World, b broker.Broker) bool      { _, ok := b.(broker.Bus); return ok }

func hasPositions(_ World, b broker.Broker) bool { _, ok := b.(broker.Positioner); return ok }
func hasOccupancy(_ World, b broker.Broker) bool { _, ok := b.(broker.Occupancy); return ok }

func canForget(w World, b broker.Broker) bool { return w.Forget != nil && hasHistory(w, b) }

func checks() []check {
	var all []check
	all = append(all, lifecycleChecks...)
	all = append(all, deliveryChecks...)
	all = append(all, finderChecks...)
	all = append(all, idempotencyChecks...)
	all = append(all, historyChecks...)
	all = append(all, retentionChecks...)
	all = append(all, positionChecks...)
	all = append(all, presenceChecks...)
	all = append(all, occupancyChecks...)
	all = append(all, secretChecks...)
	return append(all, busChecks...)
}

// Run runs the suite, each check as a subtest. It calls open once for each of them, and once more to
// find the capabilities of the implementation. open registers its cleanup with t. Worlds may share a server,
// because the suite's room names are random.
func Run(t *testing.T, open func(t testing.TB) World) {
	t.Helper()
	w := open(t)
	if w.NewNode == nil || w.Nodes < 1 || w.Deadline < 0 {
		t.Fatal("brokertest: a World needs NewNode, at least 1 node, and no negative deadline")
	}
	b := w.NewNode(t)
	if err := b.Close(t.Context()); err != nil {
		t.Errorf("Close before Start: %v", err)
	}
	for _, c := range checks() {
		if c.needs == nil || c.needs(w, b) {
			t.Run(c.name, func(t *testing.T) { c.run(t, newWorld(t, open(t))) })
		}
	}
}
