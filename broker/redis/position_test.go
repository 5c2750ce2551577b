package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

func subscribeAt(t testing.TB, b *redis.Broker, room string) {
	t.Helper()
	if err := b.SubscribeAt(t.Context(), room, kept); err != nil {
		t.Fatal(err)
	}
}

// known is the position that a broker knows; it must know one.
func known(t testing.TB, b *redis.Broker, room string) broker.Position {
	t.Helper()
	at, ok := b.Position(room)
	if !ok {
		t.Fatalf("the broker does not know the position of %q", room)
	}
	return at
}

// soonKnown is known for a position that gets old within a fraction of a second: it asks again.
func soonKnown(t testing.TB, b *redis.Broker, room string) (at broker.Position) {
	t.Helper()
	eventually(t, "the position", func() (ok bool) {
		if at, ok = b.Position(room); !ok {
			readRoom(t, b, room, broker.Query{PositionOnly: true})
		}
		return ok
	})
	return at
}

func unknown(t testing.TB, b *redis.Broker, room, when string) {
	t.Helper()
	if at, ok := b.Position(room); ok {
		t.Errorf("%s the broker says that %q is at %+v, want it to be asked for", when, room, at)
	}
}

// calls is how often a server has executed a command since the last CONFIG RESETSTAT.
func calls(s *redistest.Server, command string) string {
	_, after, _ := strings.Cut(s.Do("INFO", "commandstats"), "cmdstat_"+command+":calls=")
	n, _, _ := strings.Cut(after, ",")
	return n
}

// A room's first subscription asks once for its position, and nothing is asked for as long as that is known.
func TestPositionIsAskedOnce(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()})
	readRoom(t, b, "other", broker.Query{PositionOnly: true}) // the server knows the script
	unknown(t, b, "a", "before the subscription")
	s.Do("CONFIG", "RESETSTAT")
	subscribeAt(t, b, "a")
	at := known(t, b, "a")
	if at.Epoch == "" || at.Offset != 0 {
		t.Errorf("a room without messages is at %+v, want an epoch and offset 0", at)
	}
	subscribeAt(t, b, "a")
	if subscribed, read := calls(s, "subscribe"), calls(s, "get"); subscribed != "1" || read != "1" {
		t.Errorf("%s SUBSCRIBE and %s GET, want one each", subscribed, read)
	}
	if page := readRoom(t, b, "a", broker.Query{Since: at}); page.Gap || page.Top != at {
		t.Errorf("since %+v: %+v, want the same", at, page)
	}

	// It follows what is delivered.
	for n := 1; n <= 3; n++ {
		last := fill(t, b, "a", n, n)
		wait(t, rec, "the message", func(r *brokertest.Recorder) bool { return len(r.Messages("a")) == n })
		if now := known(t, b, "a"); now != last {
			t.Errorf("after message %d: %+v, want %+v", n, now, last)
		}
	}

	// A room that has messages when it is subscribed to is where the last one is.
	last := fill(t, b, "b", 1, 5)
	subscribeAt(t, b, "b")
	if at := known(t, b, "b"); at != last {
		t.Errorf("%+v, want %+v", at, last)
	}
	if err := b.Unsubscribe(t.Context(), "b"); err != nil {
		t.Error(err)
	}
	unknown(t, b, "b", "after Unsubscribe")
	subscribe(t, b, "c") // without a retention
	unknown(t, b, "c", "if nobody asked")
}

// The answer to SubscribeAt has room for what others publish meanwhile: what comes after the position is delivered, without a hole,
// and nothing has to be read for that.
func TestPositionWhilePublishing(t *testing.T) {
	s := redistest.Start(t)
	publisher, _ := start(t, []string{s.Addr()})
	b, rec := start(t, []string{s.Addr()})
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range 20 {
		room := fmt.Sprint("room-", i)
		stop := make(chan struct{})
		published := make(chan broker.Position, 1)
		wg.Go(func() {
			var last broker.Position
			for n := 1; ; n++ {
				select {
				case <-stop:
					published <- last
					return
				default:
					last = publish(t, publisher, room, broker.Publication{Data: []byte("m"), Retention: kept}).Position
				}
			}
		})
		eventually(t, "messages", func() bool { return readRoom(t, publisher, room, broker.Query{PositionOnly: true}).Top.Offset > 0 })
		subscribeAt(t, b, room)
		at := known(t, b, room)
		close(stop)
		last := <-published
		wait(t, rec, "the last message", func(r *brokertest.Recorder) bool {
			m := r.Messages(room)
			return at.Offset >= last.Offset || len(m) > 0 && m[len(m)-1].Position == last
		})
		next := at.Offset + 1
		for _, m := range rec.Messages(room) {
			if m.Position.Offset > at.Offset {
				if m.Position.Offset != next {
					t.Fatalf("%s: message %d after %d", room, m.Position.Offset, next-1)
				}
				next++
			}
		}
		if next <= last.Offset {
			t.Errorf("%s: subscribed at %d, delivered up to %d, want %d", room, at.Offset, next-1, last.Offset)
		}
	}
	if n := b.Stats().CaughtUp; n != 0 {
		t.Errorf("%d messages were read from the history, want none", n)
	}
}

// A server that does not know the script is asked in the ordinary way.
func TestPositionWithoutScript(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()})
	s.Do("SCRIPT", "FLUSH")
	subscribeAt(t, b, "a")
	top := readRoom(t, b, "a", broker.Query{PositionOnly: true}).Top
	if at := known(t, b, "a"); at != top {
		t.Errorf("%+v, want %+v", at, top)
	}
	fill(t, b, "a", 1, 1)
	wait(t, rec, "the message", func(r *brokertest.Recorder) bool { return len(r.Messages("a")) == 1 })
}

// Members that were there before are looked after, as they are after Subscribe.
func TestPositionAndPresence(t *testing.T) {
	s := redistest.Start(t)
	other, _ := start(t, []string{s.Addr()})
	if err := other.Enter(t.Context(), "a", broker.Member{Conn: "c"}); err != nil {
		t.Fatal(err)
	}
	b, _ := start(t, []string{s.Addr()})
	readRoom(t, b, "other", broker.Query{PositionOnly: true})
	subscribeAt(t, b, "a")
	known(t, b, "a")
	if !b.Watches("a") {
		t.Error("the node does not look after a room that has members elsewhere")
	}
	if subscribeAt(t, b, "b"); b.Watches("b") {
		t.Error("the node looks after a room without members")
	}
}

// A subscription that is lost knows nothing until it has caught up. What it says then is right, and nothing was lost or came
// twice.
func TestPositionOfLostSubscription(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()}, quick(t)...)
	subscribeAt(t, b, "a")
	readRoom(t, b, "a", broker.Query{PositionOnly: true})
	fill(t, b, "a", 1, 10)
	wait(t, rec, "messages", func(r *brokertest.Recorder) bool { return len(r.Messages("a")) == 10 })
	s.Stop()
	stale(t, rec)
	eventually(t, "the position to be asked for", func() bool { _, ok := b.Position("a"); return !ok }) // the other connection may be lost first
	s.Restart()
	live(t, rec, 1)
	top := readRoom(t, b, "a", broker.Query{PositionOnly: true}).Top
	eventually(t, "the position", func() bool { at, ok := b.Position("a"); return ok && at == top })

	l := startLoad(t, b, "b")
	subscribeAt(t, b, "b")
	for i := range 3 {
		l.more(100)
		s.Do("CLIENT", "KILL", "TYPE", "pubsub")
		live(t, rec, i+2)
		top := readRoom(t, b, "b", broker.Query{PositionOnly: true}).Top
		eventually(t, "the position to go on", func() bool { at, ok := b.Position("b"); return ok && at.Offset >= top.Offset })
	}
	l.end()
}

// The metadata of a room that nobody publishes to is kept by asking: a node that does not ask for it tells no position.
func TestPositionGetsOld(t *testing.T) {
	s := redistest.Start(t)
	b, _ := start(t, []string{s.Addr()}, redis.WithMetadataTTL(2*time.Second))
	readRoom(t, b, "other", broker.Query{PositionOnly: true})
	subscribeAt(t, b, "a")
	soonKnown(t, b, "a")
	eventually(t, "the position to be asked for", func() bool { _, ok := b.Position("a"); return !ok })
	readRoom(t, b, "a", broker.Query{PositionOnly: true})
	soonKnown(t, b, "a")
}

// A room that the user may not have is refused, and is at no position.
func TestPositionOfRefusedRoom(t *testing.T) {
	s := redistest.Start(t)
	s.Do("ACL", "SETUSER", "hub", "on", ">pw", "+@all", "~*", "&hubkit:{good*", "&hubkit:bus*", "&hubkit:probe*")
	b, rec := start(t, []string{s.Addr()}, append(brisk(t), redis.WithAuth("hub", "pw"))...)
	readRoom(t, b, "good-0", broker.Query{PositionOnly: true})
	err := b.SubscribeAt(t.Context(), "bad", kept)
	if !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("%v, want ErrUnavailable and NOPERM", err)
	}
	unknown(t, b, "bad", "after the refusal")
	subscribeAt(t, b, "good-1")
	known(t, b, "good-1")
	if st := rec.States(); len(st) > 0 {
		t.Errorf("states %v, want none", st)
	}
	s.Do("ACL", "SETUSER", "hub", "allchannels")
	subscribeAt(t, b, "bad")
	fill(t, b, "bad", 1, 1)
	wait(t, rec, "the message", func(r *brokertest.Recorder) bool { return len(r.Messages("bad")) == 1 })

	for _, r := range []broker.Retention{{Size: 1}, {TTL: time.Second}} {
		if err := b.SubscribeAt(t.Context(), "good-2", r); !errors.Is(err, broker.ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", r, err)
		}
	}
	if err := b.SubscribeAt(t.Context(), "", kept); !errors.Is(err, broker.ErrRoomName) {
		t.Errorf("%v, want ErrRoomName", err)
	}
}

// In a cluster the server of a room's slot is asked. A room whose slot moves stays at its position.
func TestPositionInCluster(t *testing.T) {
	c := redistest.StartCluster(t, false)
	b, rec := start(t, c.Addrs(), quick(t)...)
	for i := range 8 {
		readRoom(t, b, fmt.Sprint("warm-", i), broker.Query{PositionOnly: true})
	}
	for i := range 8 {
		room := fmt.Sprint("room-", i)
		subscribeAt(t, b, room)
		readRoom(t, b, room, broker.Query{PositionOnly: true}) // of a server that did not know the script
		last := fill(t, b, room, 1, 2)
		wait(t, rec, "the messages", func(r *brokertest.Recorder) bool { return len(r.Messages(room)) == 2 })
		if at := known(t, b, room); at != last {
			t.Errorf("%s: %+v, want %+v", room, at, last)
		}
	}
	key := "hubkit:{room-0}"
	for _, s := range c.Servers {
		if s != c.Owner(key) {
			c.Move(key, s)
			break
		}
	}
	last := fill(t, b, "room-0", 3, 3)
	wait(t, rec, "the message", func(r *brokertest.Recorder) bool { return len(r.Messages("room-0")) == 3 })
	eventually(t, "the position", func() bool { at, ok := b.Position("room-0"); return ok && at == last })
}
