package memory

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// The byte bound holds after every publication; what was dropped for it is a gap, what is left is
// contiguous.
func TestHistoryBytesAreBounded(t *testing.T) {
	const bound = 100_000
	b := running(t, WithMaxHistoryBytes(bound))
	p := broker.Publication{Data: bytes.Repeat([]byte("x"), 1000), Retention: broker.Retention{Size: 50, TTL: time.Hour}}
	tops := make(map[string]broker.Position)
	for i := range 2000 {
		room := fmt.Sprint(i % 20)
		tops[room] = b.mustPublish(t, room, p).Position
		if used := b.used.Load(); used > bound {
			t.Fatalf("%d bytes used after %d publications, at most %d are allowed", used, i+1, bound)
		}
	}
	stored := 0
	for room, top := range tops {
		page := b.mustRead(t, room, broker.Query{Retention: p.Retention})
		if page.Top != top {
			t.Errorf("room %s: top %+v, want %+v: messages are dropped before metadata", room, page.Top, top)
		}
		stored += len(page.Messages)
		first := top.Offset - uint64(len(page.Messages)) + 1
		for i, m := range page.Messages {
			if m.Position.Offset != first+uint64(i) {
				t.Errorf("room %s: message %d of %d at %+v", room, i, len(page.Messages), m.Position)
			}
		}
		before := broker.Position{Epoch: top.Epoch, Offset: first - 2}
		if page := b.mustRead(t, room, broker.Query{Since: before, Retention: p.Retention}); !page.Gap {
			t.Errorf("room %s: no gap since %+v, where the oldest is %d", room, before, first)
		}
	}
	if used := b.used.Load(); stored < bound/2/1100 {
		t.Errorf("only %d messages stored in %d bytes", stored, used)
	}
}

// Metadata goes last, that of the rooms idle for longest first, and never that of a subscribed room.
func TestMetadataIsBounded(t *testing.T) {
	const rooms = 1000
	b := running(t, WithMaxHistoryBytes(100*(historyCost+entryCost+10)))
	b.mustSubscribe(t, "subscribed")
	p := message(time.Minute)
	old := b.mustPublish(t, "subscribed", p).Position
	var last broker.Position
	for i := range rooms {
		last = b.mustPublish(t, fmt.Sprint(i), p).Position
	}
	if held, _, _ := b.holds(); held > 130 || held < 50 {
		t.Errorf("%d rooms held, want about 100", held)
	}
	q := broker.Query{Retention: p.Retention}
	if page := b.mustRead(t, "subscribed", q); page.Top != old {
		t.Errorf("subscribed room: top %+v, want %+v", page.Top, old)
	}
	if page := b.mustRead(t, fmt.Sprint(rooms-1), q); page.Top != last {
		t.Errorf("latest room: top %+v, want %+v", page.Top, last)
	}
	if page := b.mustRead(t, "0", q); page.Top.Offset != 0 {
		t.Errorf("oldest room: top %+v, want a new epoch", page.Top)
	}
}

// A message larger than the bound is delivered and is a gap for who comes later.
func TestMessageBeyondBound(t *testing.T) {
	b := running(t, WithMaxHistoryBytes(historyCost+100))
	b.mustSubscribe(t, "room")
	p := message(time.Minute)
	first := b.mustPublish(t, "room", p).Position
	p.Data = make([]byte, 1000)
	if res := b.mustPublish(t, "room", p); res.Position.Offset != 2 || res.Position.Epoch != first.Epoch {
		t.Errorf("position %+v after %+v", res.Position, first)
	}
	if page := b.mustRead(t, "room", broker.Query{Since: first, Retention: p.Retention}); !page.Gap || page.Top.Offset != 2 {
		t.Errorf("page %+v, want a gap up to offset 2", page)
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The memory of 100,000 rooms comes back, the room table's too, whatever the rooms were used for.
func TestMemoryReturns(t *testing.T) {
	const rooms = 100_000
	names := make([]string, rooms)
	for i := range names {
		names[i] = fmt.Sprintf("room:%06d", i)
	}
	member := broker.Member{Conn: "c"}
	b := running(t, WithMetadataTTL(time.Millisecond))
	for _, c := range []struct {
		use       string
		atLeast   int // bytes a room takes while in use; zero where none may be left by then
		come, end func(room string) error
	}{
		{
			"published to", 0,
			func(room string) error {
				_, err := b.Publish(t.Context(), room, broker.Publication{Data: []byte("m")})
				return err
			}, nil,
		},
		{
			"subscribed", 100,
			func(room string) error { return b.Subscribe(t.Context(), room) },
			func(room string) error { return b.Unsubscribe(t.Context(), room) },
		},
		{
			"entered", 100,
			func(room string) error { return b.Enter(t.Context(), room, member) },
			func(room string) error { return b.Leave(t.Context(), room, member.Conn) },
		},
		{
			"stored", 0, // some expire meanwhile
			func(room string) error {
				_, err := b.Publish(t.Context(), room, message(time.Millisecond))
				return err
			}, nil,
		},
		{
			"keyed", 0,
			func(room string) error {
				_, err := b.Publish(t.Context(), room, broker.Publication{IdempotencyKey: "k", IdempotencyTTL: time.Millisecond})
				return err
			}, nil,
		},
	} {
		t.Run(c.use, func(t *testing.T) {
			before := heapInUse()
			for _, room := range names {
				if err := c.come(room); err != nil {
					t.Fatal(err)
				}
			}
			if during := heapInUse(); c.atLeast > 0 && during < before+int64(rooms*c.atLeast) {
				t.Errorf("%d bytes more in use, which is less than a room can take", during-before)
			}
			if c.end != nil {
				for _, room := range names {
					if err := c.end(room); err != nil {
						t.Fatal(err)
					}
				}
			}
			for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				if held, _, _ := b.holds(); held == 0 {
					break
				} else if time.Now().After(end) {
					t.Fatalf("%d rooms are still held", held)
				}
			}
			// An empty room is over 100 bytes, and its place in a map that did not shrink over 16.
			if after := heapInUse(); after > before+rooms*10 {
				t.Errorf("%d bytes were not given back", after-before)
			}
		})
	}
}

// Everything at once on few rooms that come and go all the time, and in the end nothing is left.
func TestChurn(t *testing.T) {
	b := running(t, WithMetadataTTL(time.Millisecond), WithMaxHistoryBytes(20_000))
	ctx := context.Background()
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 2000 {
				room := fmt.Sprint((i * (w + 1)) % 17)
				conn := fmt.Sprint(w)
				p := message(time.Millisecond)
				p.IdempotencyKey, p.IdempotencyTTL = fmt.Sprint(i%5), time.Millisecond
				errs := []error{
					b.Subscribe(ctx, room),
					b.Enter(ctx, room, broker.Member{Conn: conn}),
				}
				_, err := b.Publish(ctx, room, p)
				errs = append(errs, err)
				_, err = b.Read(ctx, room, broker.Query{Retention: p.Retention})
				errs = append(errs, err, b.Leave(ctx, room, conn), b.Unsubscribe(ctx, room))
				for _, err := range errs {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	workers.Wait()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		held, _, _ := b.holds()
		if held == 0 && b.used.Load() == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d rooms held, %d bytes used", held, b.used.Load())
		}
	}
}

// A room lets go of the payload it delivered.
func TestDeliveredPayloadIsNotKept(t *testing.T) {
	b := running(t)
	b.mustSubscribe(t, "room")
	b.mustPublish(t, "room", broker.Publication{Data: make([]byte, 1<<20), ConflationKey: "k"})
	r := b.find("room")
	defer b.release(r)
	if m := r.out[0]; m.Data != nil || m.ConflationKey != "" {
		t.Errorf("%d bytes are held with key %q", len(m.Data), m.ConflationKey)
	}
}
