package redis_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// metaKey is where a server has the metadata of a room.
func metaKey(room string) string { return "hubkit:{" + room + "}:meta" }

// metaTTL is how long the metadata of a room lives; negative if there is none.
func metaTTL(t testing.TB, s *redistest.Server, room string) time.Duration {
	t.Helper()
	ms, err := strconv.Atoi(s.Do("PTTL", metaKey(room)))
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ms) * time.Millisecond
}

// The metadata of a room without messages lives as long as a node has members in it, and a member that was away gets the first
// messages.
func TestEmptyRoomIsKept(t *testing.T) {
	const age = 6 * time.Second
	s := redistest.Start(t)
	b, _ := start(t, []string{s.Addr()}, redis.WithEmptyAge(age))
	publisher, _ := start(t, []string{s.Addr()}, redis.WithEmptyAge(age))
	readRoom(t, b, "a", broker.Query{PositionOnly: true}) // the server knows the script
	subscribeAt(t, b, "a")
	at := soonKnown(t, b, "a")
	for range 2 { // the second time the server knows the script
		eventually(t, "the metadata to age", func() bool { return metaTTL(t, s, "a") <= age/2 })
		eventually(t, "the metadata to be kept", func() bool { return metaTTL(t, s, "a") > age/2 })
	}
	fill(t, publisher, "a", 1, 3)
	if numbers, gap := follow(t, b, "a", at); gap || len(numbers) != 3 {
		t.Errorf("since %+v: %v, gap %v; want all three", at, numbers, gap)
	}
	if left := metaTTL(t, s, "a"); left <= age {
		t.Errorf("the metadata of a room with messages lives for %v", left)
	}
}

// The metadata of a room without messages goes when nobody is left.
func TestEmptyRoomIsForgotten(t *testing.T) {
	s := redistest.Start(t)
	b, _ := start(t, []string{s.Addr()}, redis.WithEmptyAge(4*time.Second))
	readRoom(t, b, "a", broker.Query{PositionOnly: true}) // the server knows the script
	subscribeAt(t, b, "a")
	if left := metaTTL(t, s, "a"); left < 0 {
		t.Fatal("no metadata")
	}
	if err := b.Unsubscribe(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the metadata to be forgotten", func() bool { return metaTTL(t, s, "a") < 0 })
}

// If the metadata was lost all the same, the node takes over what Redis has.
func TestEmptyRoomBeginsAnew(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()}, redis.WithEmptyAge(4*time.Second))
	reader, _ := start(t, []string{s.Addr()})
	readRoom(t, b, "a", broker.Query{PositionOnly: true}) // the server knows the script
	subscribeAt(t, b, "a")
	was := soonKnown(t, b, "a")
	s.Do("DEL", metaKey("a"))
	anew := readRoom(t, reader, "a", broker.Query{PositionOnly: true}).Top
	if anew == was || anew.Epoch == "" {
		t.Fatalf("%+v after %+v", anew, was)
	}
	eventually(t, "the position of the new epoch", func() bool {
		at, ok := b.Position("a")
		return ok && at == anew
	})
	if events := rec.Events("a"); len(events) != 0 {
		t.Errorf("%v in a room without messages", events)
	}
}
