package brokertest

import (
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// DefaultDeadline is how long the suite waits for what must come unless the World says otherwise.
const DefaultDeadline = 10 * time.Second

// World is what the suite runs in: one set of nodes that hear each other.
type World struct {
	// NewNode makes the broker of a new node, connected to the world and not yet started. The suite
	// starts and closes it.
	NewNode func(t testing.TB) broker.Broker
	// Nodes is how many nodes the world can have at once, at least 1.
	Nodes int
	// Forget loses all stored data, as a server does that comes back empty; nil where that cannot be.
	// The nodes may come to know of it late, and may report broker.Stale meanwhile.
	Forget func(t testing.TB)
	// Deadline is how long the suite waits for what must come; zero means DefaultDeadline.
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

func canForget(w World, b broker.Broker) bool { return w.Forget != nil && hasHistory(w, b) }

func checks() []check {
	var all []check
	all = append(all, lifecycleChecks...)
	all = append(all, deliveryChecks...)
	all = append(all, finderChecks...)
	all = append(all, idempotencyChecks...)
	all = append(all, historyChecks...)
	all = append(all, retentionChecks...)
	all = append(all, presenceChecks...)
	all = append(all, secretChecks...)
	return append(all, busChecks...)
}

// Run runs the suite, each check as a subtest. open is called once for each of them, and once more to
// see what the implementation can do; it registers what has to be cleaned up with t. Worlds may share
// a server: the suite's room names are random.
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
