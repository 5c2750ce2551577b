package brokertest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

var historyChecks = []check{
	{"History", hasHistory, checkHistory},
	{"HistoryOrder", hasHistory, checkHistoryOrder},
	{"HistoryRead", hasHistory, checkHistoryRead},
	{"HistoryPages", hasHistory, checkHistoryPages},
	{"HistoryPageBytes", hasHistory, checkHistoryPageBytes},
	{"HistoryMetaBytes", hasHistory, checkHistoryMetaBytes},
	{"HistoryReverse", hasHistory, checkHistoryReverse},
	{"HistoryBeginning", hasHistory, checkHistoryBeginning},
	{"HistoryPlain", hasHistory, checkHistoryPlain},
	{"HistoryReadWhilePublishing", hasHistory, checkHistoryReadWhilePublishing},
}

var hundred = broker.Retention{Size: 100, TTL: time.Minute}

// fill publishes count messages, "1", "2" and so on, and returns the last position.
func (n *node) fill(room string, count int, r broker.Retention) broker.Position {
	n.w.t.Helper()
	var pos broker.Position
	for i := range count {
		p := text("%d", i+1)
		p.Retention = r
		pos = n.publish(room, p).Position
	}
	return pos
}

// What is stored has the position that Publish returned and the receiver is told; it is stored
// whether anybody listens or not.
func checkHistory(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("history")
	var stored []broker.Message
	for i := range 20 {
		if i == 10 {
			sub.subscribe(room)
		}
		m := broker.Message{Data: fmt.Appendf(nil, "%d\x00\xff", i), Binary: i%2 == 1, ConflationKey: fmt.Sprint(i % 3)}
		if i%4 == 0 {
			m.Data, m.JSON = fmt.Append(nil, i), true
		}
		if i%3 == 1 {
			m.Meta = &broker.Meta{Time: int64(i), Tags: map[string]string{"i": fmt.Sprint(i)}}
		}
		if i == 19 {
			m.Meta = fullMeta
		}
		res := pub.publish(room, broker.Publication{Data: m.Data, Binary: m.Binary, JSON: m.JSON, ConflationKey: m.ConflationKey, Meta: m.Meta, Retention: hundred})
		if res.Duplicate || res.Position.Epoch == "" || res.Position.Offset != uint64(i+1) {
			t.Fatalf("Publish: %+v, want an epoch and offset %d", res, i+1)
		}
		if i > 0 && res.Position.Epoch != stored[0].Position.Epoch {
			t.Fatalf("epoch %q after %q", res.Position.Epoch, stored[0].Position.Epoch)
		}
		m.Position = res.Position
		stored = append(stored, m)
	}
	compare(t, "delivered", sub.waitFor(room, 10), stored[10:])
	page := sub.read(room, broker.Query{Retention: hundred})
	compare(t, "stored", page.Messages, stored)
	if page.Top != stored[19].Position || page.Gap || page.More {
		t.Errorf("top %+v, gap %v, more %v; want %+v, no, no", page.Top, page.Gap, page.More, stored[19].Position)
	}
}

func compare(t testing.TB, what string, got, want []broker.Message) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d messages, want %d", what, len(got), len(want))
	}
	for i, m := range got {
		x := want[i]
		if !bytes.Equal(m.Data, x.Data) || m.Binary != x.Binary || m.JSON != x.JSON || m.ConflationKey != x.ConflationKey ||
			m.Position != x.Position || !m.Meta.Equal(x.Meta) {
			t.Errorf("%s: message %d is %+v, want %+v", what, i, m, x)
		}
	}
}

// All nodes see the messages of a room with history in the same order: that of the offsets.
func checkHistoryOrder(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("order")
	pub.subscribe(room)
	sub.subscribe(room)
	const publishers, each = 8, 50
	kept := broker.Retention{Size: publishers * each, TTL: time.Minute}
	var all sync.WaitGroup
	for i := range publishers {
		n := pub
		if i%2 == 1 {
			n = sub
		}
		all.Go(func() {
			last := uint64(0)
			for j := range each {
				p := text("%d %d", i, j)
				p.Retention = kept
				res, err := n.Publish(w.ctx, room, p)
				if err != nil || res.Position.Offset <= last {
					t.Errorf("Publish: %+v, %v after offset %d", res, err, last)
					return
				}
				last = res.Position.Offset
			}
		})
	}
	all.Wait()
	stored := pub.read(room, broker.Query{Retention: kept}).Messages
	if len(stored) != publishers*each {
		t.Fatalf("%d messages stored, want %d", len(stored), publishers*each)
	}
	compare(t, "delivered to the publisher", pub.waitFor(room, len(stored)), stored)
	compare(t, "delivered to the subscriber", sub.waitFor(room, len(stored)), stored)
}

// The questions a reader can ask of ten messages of which the first four were dropped.
func checkHistoryRead(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("read")
	six := broker.Retention{Size: 6, TTL: time.Minute}
	top := pub.fill(room, 10, six)
	at := func(offset uint64) broker.Position { return broker.Position{Epoch: top.Epoch, Offset: offset} }
	for _, c := range []struct {
		name        string
		since       broker.Position
		last, limit int
		from, to    uint64 // the offsets expected; from > to for none
		gap, more   bool
	}{
		{name: "all", from: 5, to: 10},
		{name: "last few", last: 2, from: 9, to: 10},
		{name: "last of more than there are", last: 100, from: 5, to: 10},
		{name: "limit", limit: 4, from: 5, to: 8, more: true},
		{name: "limit of all", limit: 6, from: 5, to: 10},
		{name: "limit beyond", limit: 7, from: 5, to: 10},
		{name: "limit within last", last: 4, limit: 1, from: 7, to: 7, more: true},
		{name: "last within limit", last: 1, limit: 4, from: 10, to: 10},
		{name: "since", since: at(7), from: 8, to: 10},
		{name: "since, last", since: at(7), last: 1, from: 10, to: 10},
		{name: "since, last of more", since: at(7), last: 5, from: 8, to: 10},
		{name: "since, limit", since: at(7), limit: 2, from: 8, to: 9, more: true},
		{name: "since, last, limit", since: at(6), last: 3, limit: 2, from: 8, to: 9, more: true},
		{name: "since the top", since: at(10), from: 1},
		{name: "since the top, last", since: at(10), last: 3, from: 1},
		{name: "since the last one dropped", since: at(4), from: 5, to: 10},
		{name: "since one before", since: at(3), from: 1, gap: true},
		{name: "since one before, last", since: at(3), last: 2, from: 1, gap: true},
		{name: "since one before, limit", since: at(3), limit: 2, from: 1, gap: true},
		{name: "since the beginning", since: at(0), from: 1, gap: true},
		{name: "since the future", since: at(11), from: 1, gap: true},
		{name: "another epoch", since: broker.Position{Epoch: "another", Offset: 7}, from: 1, gap: true},
		{name: "another epoch at the top", since: broker.Position{Epoch: "another", Offset: 10}, from: 1, gap: true},
		{name: "no epoch", since: broker.Position{Offset: 7}, from: 1, gap: true},
	} {
		page := sub.read(room, broker.Query{Since: c.since, Last: c.last, Limit: c.limit, Retention: six})
		var want []broker.Message
		for i := c.from; i <= c.to; i++ {
			want = append(want, broker.Message{Data: fmt.Append(nil, i), Position: at(i)})
		}
		compare(t, c.name, page.Messages, want)
		if page.Top != top || page.Gap != c.gap || page.More != c.more {
			t.Errorf("%s: top %+v, gap %v, more %v; want %+v, %v, %v",
				c.name, page.Top, page.Gap, page.More, top, c.gap, c.more)
		}
		page = sub.read(room, broker.Query{Since: c.since, Last: c.last, Limit: c.limit, PositionOnly: true, Retention: six})
		if page.Top != top || page.Gap != c.gap || len(page.Messages) > 0 {
			t.Errorf("%s, position only: %+v; want top %+v, gap %v", c.name, page, top, c.gap)
		}
	}
}

// Reading page by page, each since the last message of the one before, yields all.
func checkHistoryPages(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("pages")
	top := pub.fill(room, 23, hundred)
	var got []broker.Message
	q := broker.Query{Limit: 5, Retention: hundred}
	for more := true; more && len(got) <= 23; {
		page := sub.read(room, q)
		if page.Gap || page.Top != top || len(page.Messages) == 0 {
			t.Fatalf("page since %+v: %+v", q.Since, page)
		}
		got = append(got, page.Messages...)
		q.Since = got[len(got)-1].Position
		more = page.More
	}
	compare(t, "pages", got, sub.read(room, broker.Query{Retention: hundred}).Messages)
}

// A page has as many messages as fit into its bytes, and one in any case. Pages since the last message of the one
// before yield all.
func checkHistoryPageBytes(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("bytes")
	sizes := []int{10, 10, 10, 100, 1, 1, 1, 30, 0, 40, 10, 5000, 10, 0, 39, 1, 1}
	for _, size := range sizes {
		pub.publish(room, broker.Publication{Data: bytes.Repeat([]byte("x"), size), Retention: hundred})
	}
	all := sub.read(room, broker.Query{Retention: hundred}).Messages
	if len(all) != len(sizes) {
		t.Fatalf("%d messages, want %d", len(all), len(sizes))
	}
	q := broker.Query{Bytes: 40, Retention: hundred}
	for _, want := range []int{3, 1, 5, 1, 1, 1, 2, 2, 1} {
		page := sub.read(room, q)
		compare(t, fmt.Sprintf("page since %d", q.Since.Offset), page.Messages, all[:want])
		all = all[want:]
		if page.Gap || page.More != (len(all) > 0) || page.Top.Offset != uint64(len(sizes)) {
			t.Errorf("page since %d: %+v", q.Since.Offset, page)
		}
		q.Since = page.Messages[want-1].Position
	}
	if page := sub.read(room, broker.Query{Last: 3, Bytes: 40, Retention: hundred}); len(page.Messages) != 2 || !page.More {
		t.Errorf("newest three: %d messages, more %v; want the older two of them", len(page.Messages), page.More)
	}
}

// What messages carry beside their payloads counts for a page's bytes too.
func checkHistoryMetaBytes(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("metas")
	meta := &broker.Meta{Tags: map[string]string{"long": strings.Repeat("x", 1000)}}
	for range 4 {
		pub.publish(room, broker.Publication{Data: []byte("1"), Meta: meta, Retention: hundred})
	}
	for _, reverse := range []bool{false, true} {
		page := sub.read(room, broker.Query{Bytes: 1500, Reverse: reverse, Retention: hundred})
		if len(page.Messages) != 1 || !page.More || !page.Messages[0].Meta.Equal(meta) {
			t.Errorf("reverse %v: %d messages, more %v; want one of four", reverse, len(page.Messages), page.More)
		}
	}
}

// The questions in reverse that a reader can ask of ten messages of which the first four were dropped: the newest come first,
// and only another epoch is a gap.
func checkHistoryReverse(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("reverse")
	six := broker.Retention{Size: 6, TTL: time.Minute}
	empty := sub.read(room, broker.Query{Reverse: true, Retention: six})
	if empty.Gap || empty.More || len(empty.Messages) > 0 || empty.Top.Epoch == "" {
		t.Errorf("empty room: %+v, want nothing but a top with an epoch", empty)
	}
	top := pub.fill(room, 10, six)
	at := func(offset uint64) broker.Position { return broker.Position{Epoch: top.Epoch, Offset: offset} }
	for _, c := range []struct {
		name         string
		since        broker.Position
		limit, bytes int
		from, to     uint64 // the offsets expected, counting down; from < to for none
		gap, more    bool
	}{
		{name: "all", from: 10, to: 5},
		{name: "limit", limit: 4, from: 10, to: 7, more: true},
		{name: "limit of all", limit: 6, from: 10, to: 5},
		{name: "limit beyond", limit: 7, from: 10, to: 5},
		{name: "bytes", bytes: 4, from: 10, to: 8, more: true}, // the newest has two
		{name: "one in any case", bytes: 1, from: 10, to: 10, more: true},
		{name: "bytes of all", bytes: 7, from: 10, to: 5},
		{name: "bytes within limit", bytes: 4, limit: 5, from: 10, to: 8, more: true},
		{name: "limit within bytes", bytes: 6, limit: 2, from: 10, to: 9, more: true},
		{name: "before", since: at(8), from: 7, to: 5},
		{name: "before, limit", since: at(8), limit: 2, from: 7, to: 6, more: true},
		{name: "before, bytes", since: at(8), bytes: 1, from: 7, to: 7, more: true},
		{name: "before the oldest but one", since: at(6), from: 5, to: 5},
		{name: "before the oldest", since: at(5), to: 1},
		{name: "before what was dropped", since: at(2), to: 1},
		{name: "before the beginning", since: at(0), to: 1},
		{name: "before the future", since: at(99), limit: 1, from: 10, to: 10, more: true},
		{name: "another epoch", since: broker.Position{Epoch: "another", Offset: 7}, to: 1, gap: true},
		{name: "no epoch", since: broker.Position{Offset: 7}, to: 1, gap: true},
	} {
		page := sub.read(room, broker.Query{Since: c.since, Reverse: true, Limit: c.limit, Bytes: c.bytes, Retention: six})
		var want []broker.Message
		for i := c.from; i >= c.to; i-- {
			want = append(want, broker.Message{Data: fmt.Append(nil, i), Position: at(i)})
		}
		compare(t, c.name, page.Messages, want)
		if page.Top != top || page.Gap != c.gap || page.More != c.more {
			t.Errorf("%s: top %+v, gap %v, more %v; want %+v, %v, %v", c.name, page.Top, page.Gap, page.More, top, c.gap, c.more)
		}
		page = sub.read(room, broker.Query{Since: c.since, Reverse: true, PositionOnly: true, Retention: six})
		if page.Top != top || page.Gap != c.gap || len(page.Messages) > 0 {
			t.Errorf("%s, position only: %+v; want top %+v, gap %v", c.name, page, top, c.gap)
		}
	}
}

// A reader who was there before the first message has a position too, and so learns of what it missed.
func checkHistoryBeginning(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("beginning")
	two := broker.Retention{Size: 2, TTL: time.Minute}
	page := sub.read(room, broker.Query{Retention: two})
	start := page.Top
	if start.Epoch == "" || start.Offset != 0 || page.Gap || page.More || len(page.Messages) > 0 {
		t.Fatalf("empty room: %+v, want nothing but a top with an epoch and offset 0", page)
	}
	if again := pub.read(room, broker.Query{Since: start, Retention: two}); again.Gap || again.Top != start {
		t.Errorf("empty room again: %+v, want the same", again)
	}
	if top := pub.fill(room, 2, two); top.Epoch != start.Epoch || top.Offset != 2 {
		t.Errorf("position %+v after %+v and two messages", top, start)
	}
	if page := sub.read(room, broker.Query{Since: start, Retention: two}); page.Gap || len(page.Messages) != 2 {
		t.Errorf("two messages later: %+v, want both", page)
	}
	pub.fill(room, 1, two)
	if page := sub.read(room, broker.Query{Since: start, Retention: two}); !page.Gap || len(page.Messages) > 0 {
		t.Errorf("three messages later: %+v, want a gap", page)
	}
}

// A message without retention passes through a room with history and leaves it as it was.
func checkHistoryPlain(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("plain")
	sub.subscribe(room)
	top := pub.fill(room, 1, hundred)
	if res := pub.publish(room, text("passing")); !res.Position.IsZero() {
		t.Errorf("Publish without retention: %+v, want no position", res)
	}
	next := pub.fill(room, 1, hundred)
	if next.Epoch != top.Epoch || next.Offset != 2 {
		t.Errorf("position %+v after %+v", next, top)
	}
	sub.waitFor(room, 3)
	if page := sub.read(room, broker.Query{Retention: hundred}); len(page.Messages) != 2 || page.Top != next {
		t.Errorf("%d messages up to %+v, want 2 up to %+v", len(page.Messages), page.Top, next)
	}
}

// A reader that follows a busy room sees each message once, in order.
func checkHistoryReadWhilePublishing(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("following")
	const count = 300
	kept := broker.Retention{Size: count, TTL: time.Minute}
	since := sub.read(room, broker.Query{Retention: kept}).Top
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for i := range count {
			p := text("%d", i)
			p.Retention = kept
			if _, err := pub.Publish(w.ctx, room, p); err != nil {
				t.Errorf("Publish: %v", err)
			}
		}
	})
	defer publisher.Wait()
	w.eventually("all messages", func() bool {
		page := sub.read(room, broker.Query{Since: since, Limit: 7, Retention: kept})
		for _, m := range page.Messages {
			if m.Position.Epoch != since.Epoch || m.Position.Offset != since.Offset+1 {
				t.Fatalf("message at %+v after %+v", m.Position, since)
			}
			since = m.Position
		}
		if page.Gap || page.Top.Offset < since.Offset {
			t.Fatalf("page up to %+v, gap %v, after %+v", page.Top, page.Gap, since)
		}
		return since.Offset == count
	})
}
