package memory

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// deaf is a receiver that does nothing.
type deaf struct{}

func (deaf) Deliver(string, []broker.Message)            {}
func (deaf) Gap(string, broker.Position)                 {}
func (deaf) PresenceChanged(string, broker.Member, bool) {}
func (deaf) Command(string, []byte)                      {}
func (deaf) StateChanged(broker.State)                   {}

func running(t testing.TB, opts ...Option) *Broker {
	t.Helper()
	b, err := New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context(), "node", deaf{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	return b
}

func (b *Broker) mustPublish(t testing.TB, room string, p broker.Publication) broker.Result {
	t.Helper()
	res, err := b.Publish(t.Context(), room, p)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (b *Broker) mustRead(t testing.TB, room string, q broker.Query) broker.Page {
	t.Helper()
	page, err := b.Read(t.Context(), room, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func (b *Broker) mustSubscribe(t testing.TB, rooms ...string) {
	t.Helper()
	if err := b.Subscribe(t.Context(), rooms...); err != nil {
		t.Fatal(err)
	}
}

func (b *Broker) mustUnsubscribe(t testing.TB, rooms ...string) {
	t.Helper()
	if err := b.Unsubscribe(t.Context(), rooms...); err != nil {
		t.Fatal(err)
	}
}

// holds counts what the broker holds: rooms, messages, keys.
func (b *Broker) holds() (rooms, messages, idemKeys int) {
	for r := range b.allRooms() {
		r.mu.Lock()
		rooms++
		if r.history != nil {
			messages += r.history.entries.n
		}
		if r.keys != nil {
			idemKeys += r.keys.order.n
		}
		r.mu.Unlock()
	}
	return rooms, messages, idemKeys
}

func (b *Broker) mustHold(t testing.TB, rooms, messages, idemKeys int) {
	t.Helper()
	synctest.Wait()
	if r, m, k := b.holds(); r != rooms || m != messages || k != idemKeys {
		t.Errorf("%d rooms, %d messages, %d keys held; want %d, %d, %d", r, m, k, rooms, messages, idemKeys)
	}
}

func message(ttl time.Duration) broker.Publication {
	return broker.Publication{Data: []byte("m"), Retention: broker.Retention{Size: 10, TTL: ttl}}
}

// A message expires at its time, for readers at once and from memory soon.
func TestMessagesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := running(t)
		p := message(time.Minute)
		for range 3 {
			b.mustPublish(t, "room", p)
			time.Sleep(20 * time.Second)
		}
		q := broker.Query{Retention: p.Retention}
		if page := b.mustRead(t, "room", q); len(page.Messages) != 2 || page.Messages[0].Position.Offset != 2 {
			t.Errorf("after a minute: %+v, want the last two", page)
		}
		time.Sleep(sweepPause)
		b.mustHold(t, 1, 2, 0)
		time.Sleep(40 * time.Second)
		b.mustHold(t, 1, 0, 0)
		if used := b.used.Load(); used != historyCost+int64(len("room")) {
			t.Errorf("%d bytes used by a room without messages", used)
		}
	})
}

// A retention that became shorter holds for what is stored already.
func TestShorterRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := running(t)
		b.mustPublish(t, "room", message(time.Hour))
		time.Sleep(time.Minute)
		b.mustPublish(t, "room", message(time.Second))
		b.mustHold(t, 1, 1, 0)
		time.Sleep(time.Second + sweepPause)
		b.mustHold(t, 1, 0, 0)
	})
}

// The epoch outlives the messages by the metadata TTL, counted from the last use of the room, and as
// long as the room is subscribed.
func TestMetadataExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := running(t, WithMetadataTTL(time.Hour))
		p := message(time.Minute)
		q := broker.Query{Retention: p.Retention}
		first := b.mustPublish(t, "room", p).Position
		time.Sleep(59 * time.Minute)
		if top := b.mustRead(t, "room", q).Top; top != first {
			t.Errorf("top %+v after 59 minutes, want %+v", top, first)
		}
		time.Sleep(59 * time.Minute)
		b.mustSubscribe(t, "room")
		time.Sleep(10 * time.Hour)
		b.mustUnsubscribe(t, "room")
		time.Sleep(59 * time.Minute)
		if page := b.mustRead(t, "room", broker.Query{Since: first}); page.Gap || page.Top != first {
			t.Errorf("page %+v after a subscription, want the top to be %+v", page, first)
		}
		time.Sleep(time.Minute + sweepPause)
		b.mustHold(t, 0, 0, 0)
		if page := b.mustRead(t, "room", broker.Query{Since: first}); !page.Gap {
			t.Errorf("page %+v since a position that was forgotten, want a gap", page)
		}
		if next := b.mustPublish(t, "room", p).Position; next.Epoch == first.Epoch || next.Offset != 1 {
			t.Errorf("position %+v in a new epoch after %+v", next, first)
		}
	})
}

// Where messages live longer than the metadata would, the metadata lives as long.
func TestMetadataOfLongRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := running(t, WithMetadataTTL(time.Second))
		b.mustPublish(t, "room", message(time.Hour))
		time.Sleep(59 * time.Minute)
		b.mustHold(t, 1, 1, 0)
		time.Sleep(time.Minute + 2*sweepPause)
		b.mustHold(t, 0, 0, 0)
	})
}

// A retention without end is none that overflows.
func TestEndlessRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := running(t)
		time.Sleep(time.Second)
		b.mustPublish(t, "room", message(never))
		p := broker.Publication{IdempotencyKey: "k", IdempotencyTTL: never}
		b.mustPublish(t, "room", p)
		time.Sleep(50 * 365 * 24 * time.Hour)
		b.mustHold(t, 1, 1, 1)
		if !b.mustPublish(t, "room", p).Duplicate {
			t.Error("the key is not known any more")
		}
	})
}

func TestKeysExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := running(t)
		b.mustSubscribe(t, "room")
		publish := func(key string, ttl time.Duration, duplicate bool) {
			t.Helper()
			p := broker.Publication{IdempotencyKey: key, IdempotencyTTL: ttl}
			if b.mustPublish(t, "room", p).Duplicate != duplicate {
				t.Errorf("key %s: duplicate %v, want %v", key, !duplicate, duplicate)
			}
		}
		publish("default", 0, false)
		publish("short", time.Minute, false)
		time.Sleep(time.Minute - 1)
		publish("short", time.Minute, true)
		time.Sleep(time.Nanosecond)
		publish("short", time.Hour, false) // again, and for longer: the first one's end is not its end
		time.Sleep(broker.DefaultIdempotencyTTL - time.Minute - 1)
		publish("default", 0, true)
		time.Sleep(1 + sweepPause)
		b.mustHold(t, 1, 0, 1)
		publish("short", 0, true)
		publish("default", 0, false)
		time.Sleep(2 * time.Hour)
		b.mustHold(t, 1, 0, 0)
	})
}

// A room remembers so many keys and forgets the oldest.
func TestKeysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := running(t, WithIdempotencyKeys(3))
		for i := range 5 {
			b.mustPublish(t, "room", broker.Publication{IdempotencyKey: fmt.Sprint(i)})
		}
		b.mustHold(t, 1, 0, 3)
		r := b.find("room")
		defer b.release(r)
		for i := range 5 {
			if _, known := r.keys.find(keyID("room", fmt.Sprint(i)), b.now()); known != (i >= 2) {
				t.Errorf("key %d known: %v, want the last three", i, known)
			}
		}
	})
}

// Messages, keys and metadata of many rooms expire together, with nobody using them.
func TestManyRoomsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := running(t, WithMetadataTTL(time.Hour))
		const rooms = 10_000
		for i := range rooms {
			p := message(time.Minute)
			p.IdempotencyKey = "k"
			b.mustPublish(t, fmt.Sprint(i), p)
		}
		b.mustHold(t, rooms, rooms, rooms)
		time.Sleep(time.Minute + sweepPause)
		b.mustHold(t, rooms, 0, rooms)
		time.Sleep(broker.DefaultIdempotencyTTL)
		b.mustHold(t, rooms, 0, 0)
		time.Sleep(time.Hour)
		b.mustHold(t, 0, 0, 0)
		if used := b.used.Load(); used != 0 {
			t.Errorf("%d bytes used by nothing", used)
		}
		if n := len(b.histories.heap) + len(b.idemKeys.heap); n != 0 {
			t.Errorf("%d deadlines for nothing", n)
		}
	})
}
