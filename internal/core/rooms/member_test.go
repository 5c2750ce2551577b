package rooms

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
)

// TestMemberships: a connection knows its rooms in the order in which it joined them, and has no more than it may.
func TestMemberships(t *testing.T) {
	r := newRig(t, new(interests), func(c *Config) { c.MaxRooms = 3 })
	c, other := r.conn(t), r.conn(t)
	for _, room := range []string{"a", "b", "c", "b"} {
		r.join(t, c, room)
	}
	if err := r.Join(t.Context(), c, 0, "d", Start{}); !errors.Is(err, errs.TooMany) {
		t.Errorf("a fourth room: %v", err)
	}
	if err := r.Join(t.Context(), c, 0, "a", Start{Last: 1}); !errors.Is(err, errs.NoHistory) {
		t.Errorf("history of a room without: %v", err)
	}
	r.leave(t, c, "b")
	r.join(t, c, "d")
	if got := c.rooms.Names(); !slices.Equal(got, []string{"a", "c", "d"}) {
		t.Errorf("rooms %q", got)
	}
	if was, err := r.Leave(t.Context(), c, "b"); was || err != nil {
		t.Errorf("leaving it again: %v, %v", was, err)
	}
	if c.rooms.Find("a") == nil || c.rooms.Find("b") != nil {
		t.Error("a is not found, or b is")
	}
	r.join(t, other, "a")
	if got, want := c.rooms.Alone(), 2*(roomBytes+1); got != want {
		t.Errorf("alone in rooms of %d bytes, want %d", got, want)
	}
	r.LeaveAll(c)
	if got := c.rooms.Names(); !slices.Equal(got, []string{"a", "c", "d"}) {
		t.Errorf("rooms %q after the end, want those that it was in", got)
	}
	if c.rooms.Find("a") != nil || c.rooms.Joining("a") || r.Held("c") || !r.Held("a") {
		t.Error("it is still in a room, or the other is not")
	}
	r.LeaveAll(c) // again
	if err := r.Join(t.Context(), c, 0, "a", Start{}); !errors.Is(err, errs.Closed) {
		t.Errorf("a join after the end: %v", err)
	}
	if got := c.rooms.Alone(); got != 0 || r.held != roomBytes+1 {
		t.Errorf("%d and %d bytes are counted, want those of one room", got, r.held)
	}
}

// TestEndWhileJoining: a connection that ends while it joins a room is no member afterwards, and keeps no room.
func TestEndWhileJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := make(chan error)
		b := &interests{subscribe: func() error { return <-turn }}
		r := newRig(t, b, nil)
		c := r.conn(t)
		joined := make(chan error)
		go func() { joined <- r.Join(t.Context(), c, 0, "a", Start{}) }()
		synctest.Wait()
		if err := r.Join(t.Context(), c, 0, "a", Start{}); !errors.Is(err, errs.Joining) {
			t.Errorf("a second join: %v", err)
		}
		if was, err := r.Leave(t.Context(), c, "a"); !was || !errors.Is(err, errs.Joining) {
			t.Errorf("leave: %v, %v", was, err)
		}
		if c.rooms.Find("a") != nil || len(c.rooms.Names()) != 0 {
			t.Error("it is in the room before it has joined")
		}
		room := r.index.find("a")
		r.LeaveAll(c)
		turn <- nil
		if err := <-joined; !errors.Is(err, errs.Closed) {
			t.Errorf("join: %v", err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if room.Len() != 0 || r.rooms() != 0 || r.held != 0 {
			t.Errorf("%d members in %d rooms of %d bytes", room.Len(), r.rooms(), r.held)
		}
		expectAsked(t, b, "+a", "-a")
	})
}

// TestEndsWhileJoinsFail: a connection leaves its rooms while joins of others fail. The race detector finds out if they share
// more than they may.
func TestEndsWhileJoinsFail(t *testing.T) {
	turn := make(chan error)
	r := newRig(t, &interests{subscribe: func() error { return <-turn }}, nil)
	for i := range 100 {
		c := r.conn(t)
		var all sync.WaitGroup
		join := func(room string, want error) {
			all.Go(func() {
				if err := r.Join(t.Context(), c, 0, room, Start{}); !errors.Is(err, want) {
					t.Errorf("joining %s: %v, want %v", room, err, want)
				}
			})
		}
		in := fmt.Sprint("a", i) // no room is subscribed yet
		join(in, nil)
		turn <- nil
		all.Wait()
		join(fmt.Sprint("b", i), errAway)
		join(fmt.Sprint("c", i), errAway)
		for len(c.rooms.AllJoining()) < 2 {
			runtime.Gosched()
		}
		all.Go(func() { r.LeaveAll(c) })
		turn <- errAway
		turn <- errAway
		all.Wait()
		if got := c.rooms.Names(); !slices.Equal(got, []string{in}) {
			t.Errorf("rooms %q after the end, want the one that it was in", got)
		}
	}
}

// TestCatchUp: who joins, or joins again, while messages are published gets each message after the position once, in order:
// what the history has and what comes by the room.
func TestCatchUp(t *testing.T) {
	const messages = 2000
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, b, nil)
	r.rule.Retention = broker.Retention{Size: messages, TTL: time.Hour}
	if err := b.Start(t.Context(), "n", receiver{r.Node}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	publish := func(n int) broker.Position {
		res, _, err := r.Publish(t.Context(), "a", broker.Publication{Data: fmt.Append(nil, n), JSON: true}, nil)
		if err != nil {
			t.Error(err)
		}
		return res.Position
	}
	first := publish(0)
	var all sync.WaitGroup
	all.Go(func() {
		for n := 1; n < messages; n++ {
			publish(n)
		}
	})
	for range 8 {
		c := r.conn(t)
		all.Go(func() {
			from := first
			for n := 1; n < messages; {
				if err := r.Join(t.Context(), c, 0, "a", Start{Since: from}); err != nil {
					t.Error(err)
					return
				}
				for begun, until := false, min(n+messages/4, messages); n < until; {
					text := <-c.got
					switch {
					case strings.HasPrefix(text, `{"op":"ok"`):
						begun = true
						continue
					case !begun:
						continue // of the time before it joined again
					}
					if want := fmt.Sprintf(`"data":%d,`, n); !strings.Contains(text, want) && !strings.Contains(text, fmt.Sprintf(`"data":%d}`, n)) {
						t.Errorf("%s, want message %d", text, n)
						return
					}
					n++
				}
				from = broker.Position{Epoch: first.Epoch, Offset: first.Offset + uint64(n-1)}
			}
		})
	}
	all.Wait()
}

// receiver is a Node as the broker sees it.
type receiver struct{ *Node }

func (receiver) Command(string, []byte)    {}
func (receiver) StateChanged(broker.State) {}
