package rooms

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

func (r *rig) join(t *testing.T, c *conn, room string) {
	t.Helper()
	if err := r.Join(t.Context(), c, 0, room, Start{}); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) leave(t *testing.T, c *conn, room string) {
	t.Helper()
	if was, err := r.Leave(t.Context(), c, room); !was || err != nil {
		t.Fatalf("leave: %v, %v", was, err)
	}
}

func expectAsked(t *testing.T, b *interests, want ...string) {
	t.Helper()
	got := b.log()
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the broker was asked %q, want %q", got, want)
	}
}

// TestSubscribeOnce: of all who come to a room at once, one has the broker subscribe. If that fails, the next does, and who
// asked hears of it.
func TestSubscribeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := make(chan error)
		b := &interests{subscribe: func() error { return <-turn }}
		r := newRig(t, b, nil)
		results := make(chan error, 5)
		for range cap(results) {
			c := r.conn(t)
			go func() { results <- r.Join(t.Context(), c, 0, "a", Start{}) }()
		}
		synctest.Wait()
		expectAsked(t, b, "+a")
		turn <- errAway
		if err := <-results; !errors.Is(err, errAway) {
			t.Errorf("the first hears %v", err)
		}
		synctest.Wait()
		expectAsked(t, b, "+a")
		turn <- nil
		for range cap(results) - 1 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		expectAsked(t, b)
	})
}

// TestLinger: the node unsubscribes from rooms that have been empty for the linger, with one call, and forgets them. What is
// joined in between stays.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(interests)
		r := newRig(t, b, nil)
		c := r.conn(t)
		for _, room := range []string{"a", "b", "c"} {
			r.join(t, c, room)
		}
		b.log()
		for _, room := range []string{"a", "b", "c"} {
			r.leave(t, c, room)
		}
		time.Sleep(time.Second / 2)
		r.join(t, c, "b")
		expectAsked(t, b)
		time.Sleep(time.Second)
		synctest.Wait()
		expectAsked(t, b, "-a", "-c")
		if n := r.rooms(); n != 1 {
			t.Errorf("%d rooms, want b alone", n)
		}
		r.leave(t, c, "b")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		expectAsked(t, b, "-b")
		if r.rooms() != 0 || r.held != 0 {
			t.Errorf("%d rooms of %d bytes are left", r.rooms(), r.held)
		}
	})
}

// TestJoinWhileUnsubscribing: who joins a room that the node is unsubscribing from waits for that, and has the broker
// subscribe anew.
func TestJoinWhileUnsubscribing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan error)
		b := &interests{unsubscribe: func() error { return <-goOn }}
		r := newRig(t, b, nil)
		c := r.conn(t)
		r.join(t, c, "a")
		r.leave(t, c, "a")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.log()
		joined := make(chan error, 1)
		go func() { joined <- r.Join(t.Context(), c, 0, "a", Start{}) }()
		synctest.Wait()
		expectAsked(t, b)
		goOn <- errAway
		if err := <-joined; err != nil {
			t.Fatal(err)
		}
		expectAsked(t, b, "+a")
		if n := r.rooms(); n != 1 {
			t.Errorf("%d rooms, want one", n)
		}
		b.unsubscribe = nil
	})
}

// TestFailedSubscriptionIsTakenBack: a broker that was asked to subscribe and failed may do so later, so it is told that nobody
// wants it any more.
func TestFailedSubscriptionIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &interests{subscribe: func() error { return errAway }}
		r := newRig(t, b, nil)
		if err := r.Join(t.Context(), r.conn(t), 0, "a", Start{}); !errors.Is(err, errAway) {
			t.Fatalf("join: %v", err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		expectAsked(t, b, "+a", "-a")
		if n := r.rooms(); n != 0 {
			t.Errorf("%d rooms are left", n)
		}
	})
}

// TestBrokerPanics: a panic of the broker keeps nobody from the room for ever.
func TestBrokerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &interests{subscribe: func() error { panic("Subscribe") }}
		r := newRig(t, b, nil)
		c, other := r.conn(t), r.conn(t)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("Subscribe has not panicked")
				}
			}()
			_ = r.Join(t.Context(), c, 0, "a", Start{})
		}()
		b.subscribe = nil
		b.unsubscribe = func() error { panic("Unsubscribe") }
		r.join(t, other, "a")
		r.leave(t, other, "a")
		r.join(t, other, "b")
		r.leave(t, other, "b")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if r.panics == 0 {
			t.Error("Unsubscribe has not panicked")
		}
		b.unsubscribe = nil
		r.join(t, other, "b")
	})
}

// TestMemberHasSubscription: however close a join is to the end of the linger, a member has a subscription.
func TestMemberHasSubscription(t *testing.T) {
	b := &subscribed{rooms: make(map[string]bool)}
	r := newRig(t, b, func(c *Config) { c.Linger = 0 })
	var all sync.WaitGroup
	for range 4 {
		c := r.conn(t)
		all.Go(func() {
			for i := range 1000 {
				r.join(t, c, "a")
				if !b.has("a") {
					t.Errorf("round %d: a member without a subscription", i)
				}
				r.leave(t, c, "a")
			}
		})
	}
	all.Wait()
}

// subscribed knows what is subscribed now.
type subscribed struct {
	broker.Broker
	mu    sync.Mutex
	rooms map[string]bool
}

func (b *subscribed) set(is bool, rooms []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range rooms {
		b.rooms[r] = is
	}
	return nil
}

func (b *subscribed) has(room string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rooms[room]
}

func (b *subscribed) Subscribe(_ context.Context, rooms ...string) error { return b.set(true, rooms) }
func (b *subscribed) Unsubscribe(_ context.Context, rooms ...string) error {
	return b.set(false, rooms)
}

// TestRoomFinder: the broker finds a room as long as it subscribes to it, and a broker that delivers to a room that is
// forgotten reaches nobody.
func TestRoomFinder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		var found []broker.RoomReceiver
		b := &interests{}
		b.subscribe = func() error { found = append(found, r.Room("a")); return nil }
		r = newRig(t, b, nil)
		if to := r.Room("a"); to != nil {
			t.Errorf("before Subscribe: %v", to)
		}
		c := r.conn(t)
		for range 2 {
			r.join(t, c, "a")
			r.leave(t, c, "a")
			time.Sleep(2 * r.conf.Linger)
			synctest.Wait()
		}
		if len(found) != 2 || found[0] == nil || found[0] == found[1] {
			t.Fatalf("found %v, want two rooms", found)
		}
		if to := r.Room("a"); to != nil {
			t.Errorf("after Unsubscribe: %v", to)
		}
		r.join(t, c, "a")
		for _, to := range found[:2] {
			to.Deliver([]broker.Message{{Data: []byte("1"), JSON: true}})
			to.DeliverSoon([]broker.Message{{Data: []byte("1"), JSON: true}})
		}
		found[2].Deliver([]broker.Message{{Data: []byte("2"), JSON: true}})
		synctest.Wait()
		var got []string
		for len(c.got) > 0 {
			if m := <-c.got; strings.Contains(m, "message") {
				got = append(got, m)
			}
		}
		if want := []string{`{"op":"message","room":"a","data":2}`}; !slices.Equal(got, want) {
			t.Errorf("a member got %s, want %s", got, want)
		}
	})
}
