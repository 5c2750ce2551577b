package fanout

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

func addSoon(r *Room, offset uint64, format string, args ...any) {
	r.AddSoon(frame.Text, offset, "", func(dst []byte, _ frame.Form) []byte { return fmt.Appendf(dst, format, args...) })
}

// TestAddSoon: nothing goes out before Flush, then everything does, in one pass for each room, whether Flush writes
// itself or leaves it to the workers.
func TestAddSoon(t *testing.T) {
	for _, members := range []int{0, 1, inline, inline + 1, 3 * chunkSize} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			r := newRig(t, 2, 100, 1<<20)
			room := r.room()
			all := make([]*member, members)
			for i := range all {
				all[i] = new(member)
				join(t, room, all[i])
			}
			addSoon(room, 0, "one")
			addSoon(room, 0, "two")
			for _, m := range all {
				if got := m.got(); got != nil {
					t.Fatalf("before Flush: %q", got)
				}
			}
			r.Flush()
			r.Flush() // with nothing to do
			if members <= inline {
				for _, m := range all {
					expect(t, m, "one", "two") // Flush has done it
				}
			}
			add(room, 0, "three")
			addSoon(room, 0, "four") // Close flushes
			r.Close()
			for _, m := range all {
				expect(t, m, "one", "two", "three", "four")
				if n := m.passes[0]; members <= inline && !slices.Equal(n, []string{"one", "two"}) {
					t.Errorf("the first pass was %q", n)
				}
			}
		})
	}
}

// TestAddSoonConcurrently has messages put off, added at once and flushed by several goroutines: each member gets
// those of each sender once and in their order.
func TestAddSoonConcurrently(t *testing.T) {
	const rooms, senders, messages = 5, 4, 300
	r := newRig(t, 2, 1<<20, 1<<30)
	all := make([]*Room, rooms)
	members := make([]*member, rooms)
	for i := range all {
		all[i], members[i] = r.room(), new(member)
		join(t, all[i], members[i])
		for range i * 4 {
			join(t, all[i], new(member))
		}
	}
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range messages {
				for _, room := range all {
					if s%2 == 0 {
						addSoon(room, 0, "%d %d", s, i)
					} else {
						add(room, 0, "%d %d", s, i)
					}
				}
				if i%7 == s {
					r.Flush()
				}
			}
		})
	}
	wg.Wait()
	r.Close()
	for i, m := range members {
		next := make([]int, senders)
		for _, p := range m.got() {
			var s, n int
			if _, err := fmt.Sscanf(p, "%d %d", &s, &n); err != nil || n != next[s] {
				t.Fatalf("room %d: got %q, want message %d of its sender", i, p, next[s])
			}
			next[s]++
		}
		for s, n := range next {
			if n != messages {
				t.Errorf("room %d: %d messages of sender %d, want %d", i, n, s, messages)
			}
		}
	}
}
