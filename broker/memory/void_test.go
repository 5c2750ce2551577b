package memory

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// A room that nobody published to keeps nothing once nobody is subscribed to it, whatever it was asked for.
func TestRoomsWithoutMessagesKeepNothing(t *testing.T) {
	b := running(t)
	kept := message(time.Hour).Retention
	for i := range 10_000 {
		room := fmt.Sprint(i)
		b.mustSubscribe(t, room)
		top := b.mustRead(t, room, broker.Query{Retention: kept}).Top
		if page := b.mustRead(t, room, broker.Query{Since: top, Retention: kept}); page.Gap || page.Top != top || top.Epoch == "" {
			t.Fatalf("since %+v: %+v", top, page)
		}
		b.mustRead(t, room, broker.Query{Since: broker.Position{Epoch: "made up", Offset: 7}, Retention: kept})
		b.mustUnsubscribe(t, room)
	}
	if rooms, _, _ := b.holds(); rooms != 0 || b.Stats() != (Stats{}) {
		t.Errorf("%d rooms are held, %+v", rooms, b.Stats())
	}
}

// The position of a room without messages is resumed from exactly, as long as nothing was forgotten that it may have missed.
func TestVoidPositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := running(t, WithMetadataTTL(time.Hour))
		p := message(time.Minute)
		q := broker.Query{Retention: p.Retention}
		since := func(room string, pos broker.Position) broker.Page {
			t.Helper()
			q := q
			q.Since = pos
			return b.mustRead(t, room, q)
		}
		void := b.mustRead(t, "room", q).Top
		b.mustPublish(t, "room", p)
		if page := since("room", void); page.Gap || len(page.Messages) != 1 || page.Top.Epoch != void.Epoch {
			t.Errorf("since before the first message: %+v, want it", page)
		}
		b.mustSubscribe(t, "listened to")
		listened := b.mustRead(t, "listened to", q).Top
		time.Sleep(3 * time.Hour)
		b.mustHold(t, 1, 0, 0)
		if page := since("room", void); !page.Gap || page.Top.Epoch == void.Epoch || page.Top.Offset != 0 {
			t.Errorf("since before a message that was forgotten: %+v, want a gap", page)
		}
		next := b.mustPublish(t, "room", p).Position
		if page := since("room", void); !page.Gap || next.Epoch == void.Epoch {
			t.Errorf("with another message: %+v, want a gap", page)
		}
		// Every slot's epoch is another now; a subscribed room keeps what its readers were told.
		for i := range 40 * voidCount {
			b.mustPublish(t, fmt.Sprint("filler ", i), p)
		}
		time.Sleep(3 * time.Hour)
		if page := since("listened to", listened); page.Gap {
			t.Errorf("a subscribed room: %+v, want no gap since %+v", page, listened)
		}
		if pos := b.mustPublish(t, "listened to", p).Position; pos.Epoch != listened.Epoch || pos.Offset != 1 {
			t.Errorf("its first message is at %+v, its readers were told %+v", pos, listened)
		}
	})
}

// Rooms without messages left are shed first, then the largest, and small ones keep all they have.
func TestLargestAreShedFirst(t *testing.T) {
	const bound = 1 << 20
	b := running(t, WithMaxHistoryBytes(bound))
	large := broker.Publication{Data: make([]byte, 4<<10), Retention: broker.Retention{Size: 1000, TTL: time.Hour}}
	small := broker.Publication{Data: []byte("m"), Retention: large.Retention}
	for range 100 {
		b.mustPublish(t, "lobby", small)
	}
	brief := broker.Publication{Data: []byte("m"), Retention: broker.Retention{Size: 1000, TTL: time.Nanosecond}}
	for i := range 300 {
		b.mustPublish(t, fmt.Sprint("brief ", i), brief)
		b.mustRead(t, fmt.Sprint("brief ", i), broker.Query{Retention: brief.Retention})
	}
	for i := range 600 {
		b.mustPublish(t, fmt.Sprint("large ", i%2), large)
	}
	stats := b.Stats()
	if stats.Rooms != 300 || stats.Messages < 200 || stats.HistoryBytes > bound || stats.HistoryBytes < bound/2 {
		t.Errorf("%+v, want all 300 rooms without messages evicted, and messages of large ones", stats)
	}
	if page := b.mustRead(t, "lobby", broker.Query{Retention: small.Retention}); len(page.Messages) != 100 {
		t.Errorf("%d of 100 messages are left in a small room", len(page.Messages))
	}
	for i := range 2 {
		if page := b.mustRead(t, fmt.Sprint("large ", i), broker.Query{Retention: large.Retention}); len(page.Messages) < 20 {
			t.Errorf("%d messages are left in large room %d", len(page.Messages), i)
		}
	}
}

// The keys of publishers are bounded for each and for all. Who uses the most loses theirs first.
func TestPublisherKeysAreBounded(t *testing.T) {
	const each, all = 100, 1000
	b := running(t, WithPublisherKeys(each, all))
	publish := func(publisher, room, key string) bool {
		t.Helper()
		p := broker.Publication{Publisher: publisher, IdempotencyKey: key}
		return b.mustPublish(t, room, p).Duplicate
	}
	publish("", "room", "the service's")
	publish("ada", "room", "hers")
	for i := range 50 * all {
		publish(fmt.Sprint("mallory ", i%30), fmt.Sprint(i%200), fmt.Sprint(i))
		if n := b.Stats().PublisherKeys; n > all {
			t.Fatalf("%d keys are held, at most %d are allowed", n, all)
		}
	}
	_, _, held := b.holds()
	if n := b.Stats().PublisherKeys; int64(held) != n+1 || n < all/2 {
		t.Errorf("%d keys are held, %d counted", held, n)
	}
	if !publish("", "room", "the service's") || !publish("ada", "room", "hers") {
		t.Error("a key of somebody who has but one was forgotten")
	}
	if b.Stats().IdempotencyKeys == 0 {
		t.Error("nothing was counted")
	}
}

// A publisher's keys take no name that a room could have, and expire.
func TestPublisherIsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := running(t)
		b.mustPublish(t, "room", broker.Publication{Publisher: "ada", IdempotencyKey: "k"})
		b.mustHold(t, 1, 0, 1)
		if _, err := b.Publish(t.Context(), publisherRoom("ada"), message(time.Hour)); err == nil {
			t.Error("published to where a publisher's keys are")
		}
		if _, err := b.Read(t.Context(), publisherRoom("ada"), broker.Query{}); err == nil {
			t.Error("read where a publisher's keys are")
		}
		time.Sleep(broker.DefaultIdempotencyTTL + sweepPause)
		b.mustHold(t, 0, 0, 0)
		if n := b.Stats().PublisherKeys; n != 0 {
			t.Errorf("%d keys are counted where none is held", n)
		}
	})
}

// A snapshot has the keys of publishers too, and what was checked when it was published.
func TestSnapshotOfPublishers(t *testing.T) {
	b := running(t)
	p := broker.Publication{Data: []byte("1"), JSON: true, Publisher: "ada", IdempotencyKey: "k", Retention: message(time.Hour).Retention}
	first := b.mustPublish(t, "room", p)
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var snap bytes.Buffer
	if err := b.Snapshot(&snap); err != nil {
		t.Fatal(err)
	}
	next, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Restore(&snap); err != nil {
		t.Fatal(err)
	}
	if err := next.Start(t.Context(), "node", deaf{}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = next.Close(t.Context()) }()
	if res := next.mustPublish(t, "room", p); !res.Duplicate || res.Position != first.Position {
		t.Errorf("a retry after the restart: %+v, want the duplicate of %+v", res, first)
	}
	if n := next.Stats().PublisherKeys; n != 1 {
		t.Errorf("%d keys are counted, want 1", n)
	}
	if page := next.mustRead(t, "room", broker.Query{Retention: p.Retention}); len(page.Messages) != 1 || !page.Messages[0].JSON {
		t.Errorf("%+v, want the message, checked", page)
	}
}
