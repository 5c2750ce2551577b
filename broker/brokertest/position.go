package brokertest

import (
	"testing"

	"github.com/gohubkit/hubkit/broker"
)

var positionChecks = []check{
	{"Positions", hasPositions, checkPositions},
	{"PositionsWhilePublishing", hasPositions, checkPositionsWhilePublishing},
}

// subscribeAt subscribes, and waits until the broker knows the position.
func (n *node) subscribeAt(room string, kept broker.Retention) (at broker.Position) {
	n.w.t.Helper()
	p := n.Broker.(broker.Positioner)
	if err := p.SubscribeAt(n.w.ctx, room, kept); err != nil {
		n.w.t.Fatalf("SubscribeAt %s: %v", room, err)
	}
	n.w.eventually("a position", func() (ok bool) {
		at, ok = p.Position(room)
		return ok
	})
	return at
}

// The position of a room is that of its last message, whether it was published before the subscription or after it.
func checkPositions(t testing.TB, w *world) {
	pub, sub := w.pair()
	p := sub.Broker.(broker.Positioner)
	room := w.room("position")
	if at, ok := p.Position(room); ok {
		t.Errorf("a room that is not subscribed has position %v", at)
	}
	at := sub.subscribeAt(room, hundred)
	if top := sub.read(room, broker.Query{PositionOnly: true, Retention: hundred}).Top; at != top {
		t.Errorf("position %v of a room without messages, want %v", at, top)
	}
	for i := range 3 {
		res := pub.publish(room, broker.Publication{Data: []byte("m"), Retention: hundred})
		sub.waitFor(room, i+1)
		if at, ok := p.Position(room); !ok || at != res.Position {
			t.Errorf("position %v, %v after %v was delivered", at, ok, res.Position)
		}
	}
	sub.unsubscribe(room)
	if at, ok := p.Position(room); ok {
		t.Errorf("a room that is unsubscribed has position %v", at)
	}
	res := pub.publish(room, broker.Publication{Data: []byte("m"), Retention: hundred})
	if at := sub.subscribeAt(room, hundred); at != res.Position {
		t.Errorf("position %v of a room that is subscribed again, want %v", at, res.Position)
	}
}

// A client that goes on from a position misses nothing: a position is never before what Subscribe had and never after what was
// published, and what is read after it ends with the last message.
func checkPositionsWhilePublishing(t testing.TB, w *world) {
	const messages = 300
	kept := broker.Retention{Size: messages, TTL: w.Deadline}
	pub, sub := w.pair()
	p := sub.Broker.(broker.Positioner)
	room := w.room("position")
	last := sub.subscribeAt(room, kept)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range messages {
			if _, err := pub.Publish(w.ctx, room, broker.Publication{Data: []byte("m"), Retention: kept}); err != nil {
				t.Errorf("Publish: %v", err)
				return
			}
		}
	}()
	for n := 0; ; n++ {
		at, ok := p.Position(room)
		if ok {
			if at.Epoch != last.Epoch || at.Offset < last.Offset || at.Offset > messages {
				t.Fatalf("position %v after %v", at, last)
			}
			last = at
		}
		if n%50 == 0 {
			page := sub.read(room, broker.Query{Since: last, Retention: kept})
			if page.Gap || page.Top.Offset-last.Offset != uint64(len(page.Messages)) {
				t.Fatalf("%d messages after %v, a gap: %v, up to %v", len(page.Messages), last, page.Gap, page.Top)
			}
		}
		select {
		case <-done:
			sub.waitFor(room, messages)
			if at, ok := p.Position(room); !ok || at.Offset != messages {
				t.Errorf("position %v, %v after the last of %d messages", at, ok, messages)
			}
			return
		default:
		}
	}
}
