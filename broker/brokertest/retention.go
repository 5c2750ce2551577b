package brokertest

import (
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

var retentionChecks = []check{
	{"RetentionSize", hasHistory, checkRetentionSize},
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
