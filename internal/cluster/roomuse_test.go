package cluster_test

import (
	"fmt"
	"testing"

	"github.com/gohubkit/hubkit/internal/redistest"
)

// uses counts the calls of all nodes for a room, also those of nodes that have died since it was last asked.
type uses struct {
	t     *testing.T
	nodes []*node
	seen  map[string][]string // by node
}

func (u *uses) count(call string) (n int) {
	for _, node := range u.nodes {
		var calls []string
		if node.ask(&calls, "/uses", "") == nil {
			u.seen[node.name] = calls
		}
		for _, c := range u.seen[node.name] {
			if c == call {
				n++
			}
		}
	}
	return n
}

// await waits until a room was told used and empty as often as given, on all nodes together.
func (u *uses) await(room string, used, empty int) {
	u.t.Helper()
	eventually(u.t, fmt.Sprintf("%d and %d calls for %s", used, empty, room), func() bool {
		return u.count("used "+room) == used && u.count("empty "+room) == empty
	})
}

// TestRoomUseOverNodes: of three nodes one is told that a room with presence is used, and one that it is empty. When a node is
// killed, another one is told which of its rooms are empty, and is told again of those that are used.
func TestRoomUseOverNodes(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	u := &uses{t: t, seen: make(map[string][]string)}
	for _, name := range []string{"a", "b", "c"} {
		u.nodes = append(u.nodes, startNode(t, name, []string{r.Addr()}, "-uses", "-ttl", "6s"))
	}
	n := u.nodes
	const room = "here"
	first := joined(t, n[0], "ada", room, "here alone", "plain")
	u.await(room, 1, 0)
	second, third := joined(t, n[1], "bob", room), joined(t, n[2], "cid", room)
	first.leave(room)
	second.leave(room)
	n[2].awaitUsers(room, "cid")
	u.await(room, 1, 0)
	third.leave(room)
	u.await(room, 1, 1)
	second.join(room) // b is told
	u.await(room, 2, 1)
	first.join(room)
	third.join(room)
	n[2].awaitUsers(room, "ada", "bob", "cid")

	n[1].proc.Kill()
	u.await(room, 3, 1)
	n[0].awaitUsers(room, "ada", "cid")
	third.leave(room)
	u.await("here alone", 1, 0)
	n[0].proc.Kill()
	u.await("here alone", 1, 1)
	eventually(t, "the room to be told empty, and nothing else", func() bool {
		return u.count("empty "+room) == 2
	})
	if calls := u.seen["c"]; len(calls) == 0 || u.count("used plain") > 0 {
		t.Errorf("calls %v: want none of a room without presence", u.seen)
	}
	third.join(room)
	eventually(t, "the only node to be told", func() bool {
		calls := must[[]string](n[2], "/uses", "")
		return calls[len(calls)-1] == "used "+room
	})
	n[2].stop() // takes its calls with it, and wants no more than Redis
	if got := r.Do("ZLEXCOUNT", "hubkit:occupancy", "[r:", "(r;"); got != "0" {
		t.Errorf("%s rooms are left after the last node has stopped", got)
	}
}
