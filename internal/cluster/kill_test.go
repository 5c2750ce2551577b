package cluster_test

import (
	"testing"

	"github.com/gohubkit/hubkit/internal/redistest"
)

// Nodes die under load and come back; their clients go on at another. Nobody misses a message, or gets one twice.
func TestNodeKilled(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	n := startNodes(t, r, "a", "b", "c")
	readers := crowd(t, &balancer{nodes: n}, "past", 12)
	l := startLoad(t, "past", 3, n)
	for _, victim := range n[:2] {
		l.more(100)
		victim.proc.Kill()
		l.more(100)
		victim.start()
	}
	l.more(100)
	l.complete(readers)
}

// The members of a node that has died vanish within the TTL, and those who stay hear of each.
func TestDeadNodeLeaves(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	n := startNodesWith(t, r, []string{"-ttl", "6s"}, "a", "b", "c")
	for _, room := range []string{"here", "both"} {
		joined(t, n[0], "ada", room)
		joined(t, n[0], "alf", room)
	}
	bob := joined(t, n[1], "bob", "here", "both")
	n[1].awaitUsers("here", "ada", "alf", "bob")
	n[0].proc.Kill()
	for _, room := range []string{"here", "both"} {
		bob.await("ada's going", presence("leave", room, "ada"))
		bob.await("alf's going", presence("leave", room, "alf"))
		n[2].awaitUsers(room, "bob")
	}
	if going := bob.frames(op("leave")); len(going) != 4 {
		t.Errorf("bob was told of %d leaves, want 4: %v", len(going), going)
	}
	// The node comes back under its name, and its members are others.
	n[0].start()
	joined(t, n[0], "ada", "here")
	bob.await("ada's coming", presence("join", "here", "ada"))
	n[2].awaitUsers("here", "ada", "bob")
}

// A node is killed and started again under its name, long before the members that it had would expire. Its first connection is
// another user's now, and those who watch see both: one has gone, another has come.
func TestRestartedNodeLeavesAtOnce(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	long := []string{"-ttl", "10m"}
	again := startNode(t, "again", []string{r.Addr()}, long...)
	watching := startNode(t, "watching", []string{r.Addr()}, long...)
	bob := joined(t, watching, "bob", "here")
	ada := joined(t, again, "ada", "here")
	bob.await("ada's coming", presence("join", "here", "ada"))
	again.proc.Kill()
	again.start()
	eve := joined(t, again, "eve", "here")
	if was, is := ada.await("a welcome", op("welcome")).Conn, eve.await("a welcome", op("welcome")).Conn; was == is {
		t.Errorf("two connections are called %q", is)
	}
	bob.await("ada's going", presence("leave", "here", "ada"))
	bob.await("eve's coming", presence("join", "here", "eve"))
	for _, n := range []*node{again, watching} {
		n.awaitUsers("here", "bob", "eve")
	}
}
