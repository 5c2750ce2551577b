package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

func TestOverflowRules(t *testing.T) {
	history := hub.History(10, time.Minute)
	for _, tt := range []struct {
		name   string
		opts   []hub.Option
		faults []string
	}{
		{"each where it may be", []hub.Option{
			hub.WithRooms("a", hub.Overflow(hub.OverflowDisconnect)), hub.WithRooms("b", hub.Overflow(hub.OverflowDropOldest), hub.Presence()),
			hub.WithRooms("c", hub.Overflow(hub.OverflowDropNewest)), hub.WithRooms("d", hub.Overflow(hub.OverflowConflate)),
			hub.WithRooms("e", hub.Overflow(hub.OverflowReplay), history), hub.WithRooms("f", hub.Overflow(hub.OverflowDisconnect), history),
		}, nil},
		{"raw", []hub.Option{
			hub.WithRaw(), hub.WithRooms("a", hub.Overflow(hub.OverflowDropOldest)), hub.WithRooms("b", hub.Overflow(hub.OverflowDropNewest)),
			hub.WithRooms("c", hub.Overflow(hub.OverflowConflate)), hub.WithRooms("d", hub.Overflow(hub.OverflowDisconnect)),
		}, nil},
		{"all faults together", []hub.Option{
			hub.WithRooms("a", hub.Overflow(hub.OverflowReplay)), hub.WithRooms("b", hub.Overflow(hub.OverflowDropOldest), history),
			hub.WithRooms("c", history, hub.Overflow(hub.OverflowDropNewest)), hub.WithRooms("d", hub.Overflow(hub.OverflowConflate), history),
			hub.WithRooms("e", hub.Overflow(9)),
		}, []string{
			`"a": OverflowReplay reads from the history`, `"b": drop oldest drops mess`, `"c": drop newest drops mess`,
			`"d": conflate drops mess`, `"e": Overflow: unknown policy 9`,
		}},
		{"replay of a raw hub", []hub.Option{hub.WithRaw(), hub.WithRooms("a", hub.Overflow(hub.OverflowReplay), history)},
			[]string{"history and presence need protocol v1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := hub.New(tt.opts...)
			if err == nil {
				err = h.Close()
			}
			if (err != nil) != (tt.faults != nil) {
				t.Fatal(err)
			}
			for _, f := range tt.faults {
				if !strings.Contains(err.Error(), f) {
					t.Errorf("%v\nsays nothing of %q", err, f)
				}
			}
		})
	}
	if s := hub.OverflowPolicy(9).String(); s != "OverflowPolicy(9)" {
		t.Errorf("an unknown policy is %q", s)
	}
}

// slowServer has a small backlog and rooms of every policy, called after it.
func slowServer(t *testing.T, tr transport, opts ...hub.Option) *server {
	t.Helper()
	tr.sendBuffer = smallBuffers
	return tr.start(t, append([]hub.Option{
		hub.WithOpenRooms("*"), hub.WithBacklog(32, 128<<10), hub.WithWriteTimeout(patience),
		hub.WithRooms("oldest", hub.Overflow(hub.OverflowDropOldest)), hub.WithRooms("newest", hub.Overflow(hub.OverflowDropNewest)),
		hub.WithRooms("conflate", hub.Overflow(hub.OverflowConflate)),
		hub.WithRooms("replay", hub.History(10_000, time.Hour), hub.Overflow(hub.OverflowReplay)),
		hub.WithRooms("present", hub.History(10_000, time.Hour), hub.Overflow(hub.OverflowReplay), hub.Presence()),
		hub.WithRooms("short", hub.History(20, time.Hour), hub.Overflow(hub.OverflowReplay)),
	}, opts...)...)
}

// stall makes a client that is in a room and reads nothing, and returns the hub's side of it too.
func (s *server) stall(t *testing.T, room string) (*client, *hub.Conn) {
	t.Helper()
	conns := make(chan *hub.Conn, 1)
	s.OnConnect(func(_ context.Context, c *hub.Conn) error {
		select {
		case conns <- c:
		default: // one that came later
		}
		return nil
	})
	c := s.dialStalled(t, room)
	return c, receive(t, "the connection", conns)
}

// ruleStats of the rooms with a pattern.
func (s *server) ruleStats(pattern string) hub.RuleStats {
	for _, r := range s.Stats().Rules {
		if r.Pattern == pattern {
			return r
		}
	}
	return hub.RuleStats{}
}

// number of a message.
func number(t *testing.T, r reply) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(string(r.Data), `"%d`, &n); err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	return n
}

// TestOverflow has a client that reads nothing and one that reads all in rooms of each policy that may lose something. What
// the slow one gets when it reads at last is what the policy says, and every message is counted once, at both ends.
func TestOverflow(t *testing.T) {
	const messages, size, keys = 150, 8 << 10, 5
	overAll(t, func(t *testing.T, tr transport) {
		for _, room := range []string{"oldest", "newest", "conflate"} {
			t.Run(room, func(t *testing.T) {
				s := slowServer(t, tr)
				slow, conn := s.stall(t, room)
				fast := s.dial(t)
				fast.ask(`{"op":"join","room":"` + room + `"}`)
				for i := range messages {
					if _, err := s.Publish(t.Context(), room, payload(i, size), hub.ConflationKey(fmt.Sprint(i%keys))); err != nil {
						t.Fatal(err)
					}
					if n := number(t, fast.read()); n != i {
						t.Fatalf("the fast one got %d, want %d", n, i)
					}
				}
				// With a goroutine that writes and gets no time, so much is lost in the backlog that the socket takes the rest.
				var st hub.ConnStats
				await(t, "each message is counted once", func() bool {
					st = conn.Stats()
					return st.Delivered+st.Dropped+st.Conflated+int64(st.BacklogMessages) == messages
				})
				if st.BacklogMessages > 32 || st.BacklogBytes > 128<<10 {
					t.Errorf("while nothing is read: %+v", st)
				}
				if err := conn.Send([]byte(`"end"`)); err != nil {
					t.Fatal(err)
				}
				var got []int
				for {
					r := slow.read()
					if string(r.Data) == `"end"` {
						break
					}
					got = append(got, number(t, r))
				}
				for i, n := range got[1:] {
					if n <= got[i] {
						t.Fatalf("%d after %d", n, got[i])
					}
				}
				switch room {
				case "oldest":
					if got[len(got)-1] != messages-1 {
						t.Errorf("the newest is missing: %v", got)
					}
				case "newest":
					// The backlog keeps these even if the socket takes none yet. If it takes more later, what comes then finds a place.
					if first := 128<<10/size - 1; got[first-1] != first-1 {
						t.Errorf("the first %d are missing: %v", first, got)
					}
				case "conflate":
					for i, n := range got[len(got)-keys:] {
						if n != messages-keys+i {
							t.Errorf("not the latest of each key: %v", got)
						}
					}
				}
				await(t, "all is counted", func() bool {
					all := int64(len(got))
					return conn.Stats().Delivered == all && s.ruleStats(room).Delivered == all+messages
				})
				rule := s.ruleStats(room)
				st = conn.Stats()
				if lost := st.Dropped + st.Conflated; st.Delivered+lost != messages || lost == 0 || (st.Conflated > 0) != (room == "conflate") {
					t.Errorf("%d received of %d: %+v", len(got), messages, st)
				}
				if rule.Delivered != st.Delivered+messages || rule.Dropped != st.Dropped || rule.Conflated != st.Conflated {
					t.Errorf("the connection's account %+v, the rooms' %+v", st, rule)
				}
				if all := s.Stats(); all.Delivered+all.Dropped+all.Conflated != 2*messages {
					t.Errorf("%+v", all)
				}
				slow.alive()
			})
		}
	})
}

// TestKeyOfClients: what OnPublish says is the key counts for what clients publish.
func TestKeyOfClients(t *testing.T) {
	const messages, size, keys = 60, 8 << 10, 3
	tr := poller
	tr.sendBuffer = smallBuffers
	s := tr.start(t, hub.WithRooms("state", hub.Overflow(hub.OverflowConflate)), hub.WithWriteTimeout(patience))
	s.OnJoin(func(context.Context, *hub.Conn, string) error { return nil })
	s.OnPublish(func(_ context.Context, _ *hub.Conn, p *hub.Publication) error {
		var n int
		_, err := fmt.Sscanf(string(p.Data), `"%d`, &n)
		p.ConflationKey = fmt.Sprint(n % keys)
		return err
	})
	slow, conn := s.stall(t, "state")
	publisher := s.dial(t)
	for i := range messages {
		publisher.ask(fmt.Sprintf(`{"op":"publish","id":1,"room":"state","data":%s}`, payload(i, size)))
	}
	await(t, "the last was offered", func() bool {
		st := conn.Stats()
		return st.Delivered+st.Conflated+int64(st.BacklogMessages) == messages
	})
	if conn.Stats().Conflated == 0 {
		t.Error("nothing was conflated")
	}
	if err := conn.Send([]byte(`"end"`)); err != nil {
		t.Fatal(err)
	}
	var got []int
	for r := slow.read(); string(r.Data) != `"end"`; r = slow.read() {
		got = append(got, number(t, r))
	}
	for i, n := range got[len(got)-keys:] {
		if n != messages-keys+i {
			t.Errorf("not the latest of each key: %v", got)
		}
	}
}

// publishMany publishes messages to a room.
func (s *server) publishMany(t *testing.T, room string, from, to, size int) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := s.Publish(t.Context(), room, payload(i, size)); err != nil {
			t.Fatal(err)
		}
	}
}
