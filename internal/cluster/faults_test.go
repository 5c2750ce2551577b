//go:build faults

package cluster_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/redistest"
)

// Every node dies, several times, under load.
func TestFaultNodesKilled(t *testing.T) {
	r := redistest.Start(t)
	n := startNodesWith(t, r, hasty, "a", "b", "c")
	readers := crowd(t, &balancer{nodes: n}, "both", 40)
	l := startLoad(t, "both", 4, n)
	for i := range 9 {
		l.more(150)
		n[i%3].proc.Kill()
		l.more(50)
		n[i%3].start()
	}
	l.more(100)
	l.complete(readers)
}

// All nodes die at once. Nobody is left but Redis.
func TestFaultAllNodesKilled(t *testing.T) {
	r := redistest.Start(t)
	n := startNodesWith(t, r, hasty, "a", "b", "c")
	readers := crowd(t, &balancer{nodes: n}, "past", 20)
	l := startLoad(t, "past", 4, n)
	for range 3 {
		l.more(200)
		for _, victim := range n {
			victim.proc.Kill()
		}
		for _, victim := range n {
			victim.start()
		}
	}
	l.more(100)
	l.complete(readers)
}

// Nodes are replaced one after the other, in order, as by a deploy.
func TestFaultRollingRestart(t *testing.T) {
	r := redistest.Start(t)
	n := startNodesWith(t, r, hasty, "a", "b", "c")
	readers := crowd(t, &balancer{nodes: n}, "both", 20)
	l := startLoad(t, "both", 3, n)
	for range 2 {
		for _, old := range n {
			l.more(100)
			old.stop()
			old.start()
		}
	}
	l.more(100)
	l.complete(readers)
}

// Redis dies under load and comes back with all that it had accepted.
func TestFaultRedisRestarts(t *testing.T) {
	r := redistest.Start(t, "appendonly yes")
	n := startNodesWith(t, r, hasty, "a", "b", "c")
	readers := crowd(t, &balancer{nodes: n}, "past", 20)
	l := startLoad(t, "past", 3, n)
	for range 5 {
		l.more(200)
		r.Kill()
		time.Sleep(300 * time.Millisecond)
		r.Restart()
	}
	l.more(200)
	l.complete(readers)
}

// Redis and a node die together.
func TestFaultRedisAndNodeKilled(t *testing.T) {
	r := redistest.Start(t, "appendonly yes")
	n := startNodesWith(t, r, hasty, "a", "b", "c")
	readers := crowd(t, &balancer{nodes: n}, "both", 20)
	l := startLoad(t, "both", 3, n)
	for _, victim := range n {
		l.more(200)
		r.Kill()
		victim.proc.Kill()
		r.Restart()
		victim.start()
	}
	l.more(200)
	l.complete(readers)
}

// Redis hangs for half a minute: connections stand, and nobody answers.
func TestFaultRedisHangs(t *testing.T) {
	r := redistest.Start(t)
	n := startNodesWith(t, r, hasty, "a", "b")
	p := joined(t, n[0], "ada", "past")
	readers := crowd(t, &balancer{nodes: n}, "past", 10)
	l := startLoad(t, "past", 2, n)
	l.more(200)
	r.Pause()
	p.await("word of the outage", op("stale"))
	refused(t, n[0], "past:other") // it may be carried out in the end: nobody can know
	time.Sleep(30 * time.Second)
	r.Continue()
	p.await("word of the return", op("live"))
	l.more(200)
	l.complete(readers)
}

// The server cuts the nodes' subscriptions, again and again.
func TestFaultSubscriptionsCut(t *testing.T) {
	r := redistest.Start(t)
	n := startNodesWith(t, r, hasty, "a", "b")
	readers := crowd(t, &balancer{nodes: n}, "past", 10)
	l := startLoad(t, "past", 3, n)
	for range 20 {
		l.more(50)
		r.Do("CLIENT", "KILL", "TYPE", "pubsub")
	}
	l.complete(readers)
}

// A replica takes over from a master that has died: what it had not got is a gap, at every client.
func TestFaultSentinelFailover(t *testing.T) {
	s := redistest.StartSentinels(t)
	var n []*node
	for _, name := range []string{"a", "b", "c"} {
		n = append(n, startNode(t, name, s.Addrs(), append(hasty, "-sentinel", redistest.MasterName)...))
	}
	readers := crowd(t, &balancer{nodes: n}, "past", 10)
	l := startLoad(t, "past", 3, n)
	l.more(300)
	replica := s.Replica()
	s.Master().Kill()
	s.AwaitMaster(replica)
	l.more(300)
	l.lossy(readers)
}

// A master of a cluster dies, and its replica takes over.
func TestFaultClusterMasterLost(t *testing.T) {
	c := redistest.StartCluster(t, true)
	var n []*node
	for _, name := range []string{"a", "b", "c"} {
		n = append(n, startNode(t, name, c.Addrs(), hasty...))
	}
	other := joined(t, n[0], "ada", "plain", "here")
	readers := crowd(t, &balancer{nodes: n}, "past", 10)
	l := startLoad(t, "past", 3, n)
	l.more(300)
	c.Owner("hubkit:{past}").Kill()
	l.more(300)
	l.lossy(readers)
	n[1].publish("plain", `1`)
	other.await("a message in another room", saying("plain", "1"))
	n[2].awaitUsers("here", "ada")
}

// lossy is complete for servers that may lose what they have accepted: what is missing has a gap in its place.
func (l *load) lossy(readers []*reader) {
	l.t.Helper()
	l.end()
	// What is published now is not lost any more, and ends the reading.
	eventually(l.t, "a last message to be accepted", func() bool {
		return l.nodes[0].ask(nil, "/publish", `{"From":-1}`, "room", l.room, "key", "last") == nil
	})
	for i, r := range readers {
		eventually(l.t, fmt.Sprintf("reader %d, a %s, to come to the end", i, r.name), func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.got) > 0 && r.got[len(r.got)-1].From == -1
		})
		r.mu.Lock()
		jumps := 0
		for k := range r.at[1:] {
			if !bytes.Equal(r.at[k].Epoch, r.at[k+1].Epoch) || r.at[k].Offset+1 != r.at[k+1].Offset {
				jumps++
			}
		}
		if jumps > r.gaps {
			l.t.Errorf("reader %d, a %s: %d holes and %d gaps told", i, r.name, jumps, r.gaps)
		}
		l.t.Logf("reader %d, a %s: %d messages, %d holes, %d gaps told", i, r.name, len(r.got), jumps, r.gaps)
		r.mu.Unlock()
	}
}
