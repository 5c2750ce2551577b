package brokertest

import (
	"bytes"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

var retentionChecks = []check{
	{"RetentionSize", hasHistory, checkRetentionSize},
	{"RetentionBytes", hasHistory, checkRetentionBytes},
	{"RetentionAge", hasHistory, checkRetentionAge},
	{"RetentionIdle", hasHistory, checkRetentionIdle},
	{"Forget", canForget, checkForget},
}

// A room keeps the newest Size messages, also where the size has become smaller.
func checkRetentionSize(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("size")
	for _, size := range []int{5, 8, 3, 1} {
		r := broker.Retention{Size: size, TTL: time.Minute}
		top := pub.fill(room, 10, r)
		page := sub.read(room, broker.Query{Retention: r})
		if len(page.Messages) != size || page.Top != top {
			t.Fatalf("%d messages up to %+v, want %d up to %+v", len(page.Messages), page.Top, size, top)
		}
		if first := page.Messages[0].Position.Offset; first != top.Offset-uint64(size)+1 {
			t.Errorf("oldest is %d of %d, want the newest %d", first, top.Offset, size)
		}
	}
}

// A room keeps the newest messages that fit into its bytes, also where that has become less. What they take beyond their
// payloads is the broker's choice, up to as much again for messages of a thousand bytes.
func checkRetentionBytes(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("kept bytes")
	r := broker.Retention{Size: 1000, TTL: time.Minute}
	p := broker.Publication{Data: bytes.Repeat([]byte("x"), 1000), ConflationKey: "key"}
	for _, kilobytes := range []int64{20, 40, 10} {
		r.Bytes = kilobytes * 1000
		p.Retention = r
		var top broker.Position
		for range 60 {
			top = pub.publish(room, p).Position
		}
		page := sub.read(room, broker.Query{Retention: r})
		if n := int64(len(page.Messages)); n < kilobytes/2 || n > kilobytes || page.Top != top {
			t.Fatalf("%d messages up to %+v kept in %d kB, want half as many at least, up to %+v", n, page.Top, kilobytes, top)
		}
		first := page.Messages[0].Position.Offset
		before := broker.Position{Epoch: top.Epoch, Offset: first - 2}
		if page := sub.read(room, broker.Query{Since: before, Retention: r}); !page.Gap {
			t.Errorf("since %d, and the oldest is %d: %+v, want a gap", before.Offset, first, page)
		}
	}
	old := pub.publish(room, p).Position
	p.Data = bytes.Repeat([]byte("y"), 20_000)
	large := pub.publish(room, p).Position
	if large != (broker.Position{Epoch: old.Epoch, Offset: old.Offset + 1}) {
		t.Errorf("a message beyond the bound is at %+v after %+v", large, old)
	}
	if page := sub.read(room, broker.Query{Since: old, Retention: r}); !page.Gap || page.Top != large {
		t.Errorf("since before it: %+v, want a gap up to it", page)
	}
}

// A message goes when its time is over, also where the room stays busy.
func checkRetentionAge(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("age")
	r := broker.Retention{Size: 1_000_000, TTL: 300 * time.Millisecond}
	first := pub.fill(room, 1, r)
	w.eventually("the first message to go", func() bool {
		top := pub.fill(room, 1, r)
		page := sub.read(room, broker.Query{Retention: r})
		if page.Top != top {
			t.Fatalf("top %+v, want %+v", page.Top, top)
		}
		return len(page.Messages) == 0 || page.Messages[0].Position.Offset > first.Offset
	})
	before := broker.Position{Epoch: first.Epoch}
	if page := sub.read(room, broker.Query{Since: before, Retention: r}); !page.Gap {
		t.Errorf("since before a message that is gone: %+v, want a gap", page)
	}
}

// When all messages have gone the positions are still good.
func checkRetentionIdle(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("idle")
	r := broker.Retention{Size: 10, TTL: 300 * time.Millisecond}
	top := pub.fill(room, 3, r)
	w.eventually("all messages to go", func() bool {
		return len(sub.read(room, broker.Query{Retention: r}).Messages) == 0
	})
	if page := sub.read(room, broker.Query{Since: top, Retention: r}); page.Gap || page.Top != top {
		t.Errorf("since the top: %+v, want no gap and the same top", page)
	}
	before := broker.Position{Epoch: top.Epoch, Offset: 2}
	if page := sub.read(room, broker.Query{Since: before, Retention: r}); !page.Gap || page.Top != top {
		t.Errorf("since before the top: %+v, want a gap and the same top", page)
	}
	if next := pub.fill(room, 1, hundred); next.Epoch != top.Epoch || next.Offset != 4 {
		t.Errorf("next position %+v after %+v", next, top)
	}
	if page := sub.read(room, broker.Query{Since: top, Retention: hundred}); page.Gap || len(page.Messages) != 1 {
		t.Errorf("since the old top: %+v, want the one new message", page)
	}
}

// Data that was lost is a gap for readers and for receivers, never silence: the epoch is another, and
// the recorder would object to a message of it without a Gap before.
func checkForget(t testing.TB, w *world) {
	w.disturbed = true
	pub, sub := w.pair()
	room := w.room("forget")
	sub.subscribe(room)
	old := pub.fill(room, 3, hundred)
	sub.waitFor(room, 3)
	w.Forget(t)
	var next broker.Position
	w.eventually("a message to be accepted", func() bool {
		p := text("after")
		p.Retention = hundred
		res, err := pub.Publish(w.ctx, room, p)
		next = res.Position
		return err == nil
	})
	if next.Epoch == old.Epoch || next.Epoch == "" {
		t.Errorf("position %+v after %+v was lost, want another epoch", next, old)
	}
	sub.wait("a gap", func(r *Recorder) bool {
		for _, e := range r.Events(room) {
			if e.Gap != nil && e.Gap.Epoch == next.Epoch {
				return true
			}
		}
		return false
	})
	if page := sub.read(room, broker.Query{Since: old, Retention: hundred}); !page.Gap {
		t.Errorf("since what was lost: %+v, want a gap", page)
	}
}
