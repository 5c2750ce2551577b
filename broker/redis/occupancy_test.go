package redis_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

func occupy(t testing.TB, b *redis.Broker, room string) bool {
	t.Helper()
	first, err := b.Occupy(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func vacate(t testing.TB, b *redis.Broker, room string) bool {
	t.Helper()
	last, err := b.Vacate(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	return last
}

func tend(t testing.TB, b *redis.Broker) broker.Occupied {
	t.Helper()
	o, err := b.Tend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(o.Used)
	slices.Sort(o.Empty)
	return o
}

// TestOccupancy: one node is told that a room is used, and one that it is empty. Asked again, Redis answers the same.
func TestOccupancy(t *testing.T) {
	for name, addrs := range map[string]func() []string{
		"standalone": func() []string { return []string{redistest.Start(t).Addr()} },
		"cluster":    func() []string { return redistest.StartCluster(t, false).Addrs() },
	} {
		t.Run(name, func(t *testing.T) {
			addrs := addrs()
			a, _ := start(t, addrs)
			b, _ := start(t, addrs)
			for _, room := range []string{"room", "room:{x}", "}"} {
				for _, step := range []struct {
					what string
					ask  func(testing.TB, *redis.Broker, string) bool
					node *redis.Broker
					want bool
				}{
					{"a comes", occupy, a, true},
					{"a asks again", occupy, a, true},
					{"b comes", occupy, b, false},
					{"a asks again, later", occupy, a, true},
					{"b asks again", occupy, b, false},
					{"a leaves", vacate, a, false},
					{"a comes back", occupy, a, false},
					{"b leaves", vacate, b, false},
					{"a leaves at last", vacate, a, true},
					{"a asks whether it was the last", vacate, a, true},
					{"b comes first", occupy, b, true},
					{"b is the last", vacate, b, true},
				} {
					if got := step.ask(t, step.node, room); got != step.want {
						t.Errorf("%s: %s: %v, want %v", room, step.what, got, step.want)
					}
				}
			}
			for _, n := range []*redis.Broker{a, b} {
				if o := tend(t, n); len(o.Used)+len(o.Empty) > 0 {
					t.Errorf("there was nothing to tell, and Tend tells %+v", o)
				}
			}
		})
	}
}

// TestOccupancyOfTheDead: the rooms of a node that is gone are told to one of those that are left. It is told of the rooms that it
// had alone, and of those whose beginning only the dead node knew.
func TestOccupancyOfTheDead(t *testing.T) {
	const ttl = 5 * time.Second
	for name, end := range map[string]func(*redis.Broker){
		"killed": (*redis.Broker).Abandon,
		"closed": func(b *redis.Broker) {
			if err := b.Close(t.Context()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			opt := redis.WithPresenceTTL(ttl, time.Second)
			dead, _ := start(t, []string{s.Addr()}, opt)
			var left [2]*redis.Broker
			for i := range left {
				left[i], _ = start(t, []string{s.Addr()}, opt)
				tend(t, left[i])
			}
			const n = 1200 // more than are removed at once
			var alone []string
			for i := range n {
				alone = append(alone, fmt.Sprintf("alone%04d", i))
				occupy(t, dead, alone[i])
			}
			occupy(t, dead, "shared")
			occupy(t, left[0], "shared")
			occupy(t, left[0], "its")
			occupy(t, dead, "its")
			end(dead)
			var used, empty []string
			eventually(t, "the rooms to be told", func() bool {
				for _, b := range left {
					o := tend(t, b)
					used, empty = append(used, o.Used...), append(empty, o.Empty...)
				}
				return len(empty) >= n
			})
			slices.Sort(empty)
			if !slices.Equal(empty, alone) || !slices.Equal(used, []string{"shared"}) {
				t.Errorf("%d empty rooms and %q used, want %d and shared", len(empty), used, n)
			}
			for range 3 {
				for _, b := range left {
					if o := tend(t, b); len(o.Used)+len(o.Empty) > 0 {
						t.Errorf("told again: %+v", o)
					}
				}
			}
			if vacate(t, left[0], "shared") && vacate(t, left[0], "its") {
				return
			}
			t.Error("the last node is not told that it was the last")
		})
	}
}

// TestOccupancyLost: a server that has lost its data is told again what nodes have, and that a room is empty is told once.
func TestOccupancyLost(t *testing.T) {
	s := redistest.Start(t)
	a, _ := start(t, []string{s.Addr()})
	b, _ := start(t, []string{s.Addr()})
	for i := range 250 {
		occupy(t, a, fmt.Sprint("room", i))
	}
	occupy(t, b, "room0")
	s.Do("FLUSHALL")
	if _, err := b.Occupy(t.Context(), "new"); err == nil {
		t.Error("a server that has lost rooms knows which are new")
	}
	if o := tend(t, b); !slices.Equal(o.Used, []string{"new", "room0"}) {
		t.Errorf("told of %+v, want new and room0", o)
	}
	if o := tend(t, a); len(o.Used) != 249 || len(o.Empty) != 0 {
		t.Errorf("told of %d used rooms and %d empty ones, want 249 and none", len(o.Used), len(o.Empty))
	}
	if vacate(t, a, "room0") || !vacate(t, b, "room0") || !vacate(t, a, "room1") {
		t.Error("the last to leave is another one than the one told")
	}
}
