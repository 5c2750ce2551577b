package redis_test

import (
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

func enter(t testing.TB, b *redis.Broker, room, conn string) {
	t.Helper()
	if err := b.Enter(t.Context(), room, broker.Member{Conn: conn}); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, b *redis.Broker, room string) int {
	t.Helper()
	n, err := b.Count(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// changes returns who came and went, as +conn and -conn.
func changes(r *brokertest.Recorder, room string) (all []string) {
	for _, e := range r.Events(room) {
		switch {
		case e.Member == nil:
		case e.Joined:
			all = append(all, "+"+e.Member.Conn)
		default:
			all = append(all, "-"+e.Member.Conn)
		}
	}
	return all
}

// The members of a node that was killed vanish within the TTL, and its entry too. Others are told, one that has
// no members itself and came later too. The members of a node that lives on stay.
func TestKilledNodeVanishes(t *testing.T) {
	const ttl = 4 * time.Second
	for name, addrs := range map[string]func() []string{
		"standalone": func() []string { return []string{redistest.Start(t).Addr()} },
		"cluster":    func() []string { return redistest.StartCluster(t, false).Addrs() },
	} {
		t.Run(name, func(t *testing.T) {
			addrs := addrs()
			opt := redis.WithPresenceTTL(ttl, time.Second)
			dying, _ := start(t, addrs, opt)
			staying, stayed := start(t, addrs, opt)
			subscribe(t, staying, "room", "own")
			enter(t, dying, "room", "a")
			enter(t, dying, "room", "b")
			enter(t, dying, "own", "c")
			enter(t, staying, "own", "d")
			watching, watched := start(t, addrs, opt)
			subscribe(t, watching, "room")
			time.Sleep(2 * ttl) // all have to be refreshed to still be there
			if a, b := count(t, watching, "room"), count(t, watching, "own"); a != 2 || b != 2 {
				t.Fatalf("%d and %d members, want 2 and 2", a, b)
			}
			begin := time.Now()
			dying.Abandon()
			for _, r := range []*brokertest.Recorder{stayed, watched} {
				wait(t, r, "both to be gone", func(r *brokertest.Recorder) bool {
					n := 0
					for _, c := range changes(r, "room") {
						if c[0] == '-' {
							n++
						}
					}
					return n >= 2
				})
			}
			if d := time.Since(begin); d > ttl+10*time.Second {
				t.Errorf("gone after %v, want about %v", d, ttl)
			}
			eventually(t, "only the member of the other node to be left", func() bool { return count(t, watching, "own") == 1 })
			eventually(t, "the node to be gone", func() bool {
				nodes, err := watching.Nodes(t.Context())
				return err == nil && len(nodes) == 2
			})
		})
	}
}

// Close takes back what the node has announced.
func TestCloseLeaves(t *testing.T) {
	s := redistest.Start(t)
	b, _ := start(t, []string{s.Addr()})
	other, rec := start(t, []string{s.Addr()})
	subscribe(t, other, "room")
	enter(t, b, "room", "a")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, rec, "the member to leave", func(r *brokertest.Recorder) bool { return len(changes(r, "room")) == 2 })
	nodes, err := other.Nodes(t.Context())
	if err != nil || len(nodes) != 1 {
		t.Errorf("Nodes: %+v, %v, want only the other one", nodes, err)
	}
	if keys := s.Do("KEYS", "hubkit:{room}*"); keys != "" {
		t.Errorf("left behind: %q", keys)
	}
}

// Members that a server has lost are announced again, those that left meanwhile are not.
func TestFlushedMembersReturn(t *testing.T) {
	s := redistest.Start(t)
	b, _ := start(t, []string{s.Addr()}, redis.WithPresenceTTL(time.Second, 200*time.Millisecond))
	enter(t, b, "room", "a")
	enter(t, b, "room", "b")
	s.Do("FLUSHALL")
	if err := b.Leave(t.Context(), "room", "b"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the member to be back", func() bool {
		n, err := b.Count(t.Context(), "room")
		return err == nil && n == 1
	})
}

// More members than one page, or one step of the clean-up, holds.
func TestManyMembers(t *testing.T) {
	s := redistest.Start(t)
	opt := redis.WithPresenceTTL(5*time.Second, time.Second)
	b, _ := start(t, []string{s.Addr()}, opt)
	other, _ := start(t, []string{s.Addr()}, opt)
	const n = 2345
	for i := range n {
		enter(t, b, "room", string([]byte{'c', byte('0' + i/1000%10), byte('0' + i/100%10), byte('0' + i/10%10), byte('0' + i%10)}))
	}
	for _, limit := range []int{0, 1, 1000, 1500} {
		ms, err := other.Members(t.Context(), "room", limit)
		want := n
		if limit > 0 {
			want = limit
		}
		if err != nil || len(ms) != want {
			t.Fatalf("limit %d: %d members, %v, want %d", limit, len(ms), err, want)
		}
		for i := 1; i < len(ms); i++ {
			if ms[i-1].Conn >= ms[i].Conn {
				t.Fatalf("%q before %q", ms[i-1].Conn, ms[i].Conn)
			}
		}
	}
	b.Abandon()
	eventually(t, "all to be gone", func() bool { return count(t, other, "room") == 0 })
}
