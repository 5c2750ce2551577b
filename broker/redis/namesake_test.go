package redis_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// startAs is start under a name.
func startAs(t *testing.T, name string, addrs []string, opts ...redis.Option) (*redis.Broker, *brokertest.Recorder) {
	t.Helper()
	b, rec := newBroker(t, addrs, opts...), brokertest.NewRecorder()
	if err := b.Start(t.Context(), name, rec); err != nil {
		t.Fatal(err)
	}
	closeWithTest(t, b)
	return b, rec
}

// overServers runs a test on one server and on a cluster.
func overServers(t *testing.T, f func(t *testing.T, addrs []string)) {
	t.Run("standalone", func(t *testing.T) { f(t, []string{redistest.Start(t).Addr()}) })
	t.Run("cluster", func(t *testing.T) { f(t, redistest.StartCluster(t, false).Addrs()) })
}

// A node that died comes back under its name long before its members would expire. Those of its earlier run go at once, in
// rooms that somebody watches and in others, and those of the new one stay.
func TestRestartedNode(t *testing.T) {
	overServers(t, func(t *testing.T, addrs []string) {
		watching, watched := start(t, addrs)
		subscribe(t, watching, "room")
		dying, _ := startAs(t, "restarted", addrs)
		enter(t, dying, "room", "a")
		enter(t, dying, "unwatched", "b")
		enter(t, watching, "room", "c")
		dying.Abandon()
		back, _ := startAs(t, "restarted", addrs)
		enter(t, back, "room", "d")
		enter(t, back, "unwatched", "e")
		wait(t, watched, "one to leave and one to come", func(r *brokertest.Recorder) bool {
			all := changes(r, "room")
			return slices.Contains(all, "-a") && slices.Contains(all, "+d")
		})
		eventually(t, "the member of the room that nobody watches to be gone", func() bool {
			return count(t, watching, "unwatched") == 1 && count(t, back, "unwatched") == 1
		})
		if n := count(t, watching, "room"); n != 2 {
			t.Errorf("%d members, want 2", n)
		}
		if all := changes(watched, "room"); len(all) != 4 {
			t.Errorf("heard %v, want three to come and one to leave", all)
		}
	})
}

// Two nodes that are alive have one name: both say so, and the members of both stay. The second one's entry outlives the
// first one's end.
func TestNamesakesAlive(t *testing.T) {
	overServers(t, func(t *testing.T, addrs []string) {
		var logs [2]journal
		first, _ := startAs(t, "twin", addrs, logs[0].option())
		enter(t, first, "room", "a")
		second, rec := startAs(t, "twin", addrs, logs[1].option())
		subscribe(t, second, "room")
		enter(t, second, "room", "b")
		const warning = `level=WARN msg="redis: two live nodes have the same name`
		eventually(t, "both to say so", func() bool { return len(logs[0].lines(warning)) == 1 && len(logs[1].lines(warning)) == 1 })
		time.Sleep(2 * redis.RollCall) // after which the second one would have taken the first for dead
		if n := count(t, second, "room"); n != 2 {
			t.Errorf("%d members, want 2", n)
		}
		if all := changes(rec, "room"); !slices.Equal(all, []string{"+b"}) {
			t.Errorf("heard %v, want only one to come", all)
		}
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(t, rec, "the member of the first to leave", func(r *brokertest.Recorder) bool {
			return slices.Contains(changes(r, "room"), "-a")
		})
		if nodes, err := second.Nodes(t.Context()); err != nil || len(nodes) != 1 || nodes[0].ID != "twin" {
			t.Errorf("Nodes: %+v, %v, want the second one", nodes, err)
		}
	})
}

// A node that was too busy to answer is taken for dead. It says so and lists its members again.
func TestNamesakeTakenForDead(t *testing.T) {
	overServers(t, func(t *testing.T, addrs []string) {
		var log journal
		watching, _ := start(t, addrs)
		subscribe(t, watching, "room")
		busy, _ := start(t, addrs, log.option())
		enter(t, busy, "room", "a")
		if err := watching.TakeForDead(t.Context(), busy); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the node to say so", func() bool {
			return len(log.lines(`level=ERROR msg="redis: another node has the name of this node and has declared it dead`)) == 1
		})
		eventually(t, "the node to see to its members", func() bool { return busy.NextVisit("room") > 10*time.Second })
		if n := count(t, watching, "room"); n != 1 {
			t.Errorf("%d members, want 1", n)
		}
	})
}
