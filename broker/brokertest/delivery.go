package brokertest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

var deliveryChecks = []check{
	{"Deliver", nil, checkDeliver},
	{"Data", nil, checkData},
	{"Interest", nil, checkInterest},
	{"SubscribeTwice", nil, checkSubscribeTwice},
	{"Order", nil, checkOrder},
	{"RoomNames", nil, checkRoomNames},
	{"Arguments", nil, checkArguments},
	{"ManyRooms", nil, checkManyRooms},
}

// A message reaches every subscribed node, the publishing one too, with all that it carries.
func checkDeliver(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("deliver")
	pub.subscribe(room)
	sub.subscribe(room)
	want := []broker.Publication{
		{Data: []byte(`{"text":"héllo"}`)},
		{Data: []byte{0, 0xff, '\r', '\n', 0x80}, Binary: true},
		{Data: []byte("3.14"), ConflationKey: "EUR/USD"},
		{Data: []byte{}},
		{Data: []byte("{}"), Meta: fullMeta},
		{Data: []byte("{}"), JSON: true, Meta: &broker.Meta{Time: 1}, ConflationKey: "a\x00b"},
		{Data: []byte{0, 1}, Binary: true, Meta: &broker.Meta{Except: broker.Except{Session: "s"}}},
		{Data: bytes.Repeat([]byte("0123456789abcdef"), 16<<10)},
	}
	for _, p := range want {
		if res := pub.publish(room, p); res != (broker.Result{}) {
			t.Errorf("Publish without retention or key: %+v, want the zero Result", res)
		}
	}
	for _, n := range []*node{pub, sub} {
		for i, m := range n.waitFor(room, len(want)) {
			p := want[i]
			if !bytes.Equal(m.Data, p.Data) || m.Binary != p.Binary || m.ConflationKey != p.ConflationKey ||
				!m.Position.IsZero() || !m.Meta.Equal(p.Meta) {
				t.Errorf("message %d: %d bytes, binary %v, key %q, position %+v, meta %+v; want %d bytes, %v, %q, none, %+v",
					i, len(m.Data), m.Binary, m.ConflationKey, m.Position, m.Meta, len(p.Data), p.Binary, p.ConflationKey, p.Meta)
			}
		}
	}
}

// fullMeta has everything that a message can carry.
var fullMeta = &broker.Meta{
	Publisher: &broker.Publisher{Conn: "n1-7", User: "größe", Info: []byte(`{"name":"Ada"}`)},
	Time:      1_700_000_000_123,
	Tags:      map[string]string{"kind": "order", "": "", "nul": "\x00"},
	Trace:     broker.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", State: "rojo=00f067aa0ba902b7"},
	Except:    broker.Except{Conn: "n1-7", Session: "n1-7.x"},
}

// A payload stays what it was while many others follow.
func checkData(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("data")
	sub.subscribe(room)
	const count = 500
	want := make([]string, count)
	for i := range want {
		want[i] = strings.Repeat(fmt.Sprintf("<%d>", i), 1+i%97)
		pub.publish(room, text("%s", want[i]))
	}
	for i, m := range sub.waitFor(room, count) {
		if string(m.Data) != want[i] {
			t.Fatalf("message %d: %.40q, want %.40q", i, m.Data, want[i])
		}
	}
}

// Only subscribed rooms are delivered, from Subscribe on and until Unsubscribe. The fence room, which
// is published to last, tells when the others have had their time.
func checkInterest(t testing.TB, w *world) {
	pub, sub := w.pair()
	room, other, fence := w.room("interest"), w.room("other"), w.room("fence")
	sub.subscribe(fence)
	pub.publish(room, text("too early"))
	sub.subscribe(room)
	pub.publish(other, text("elsewhere"))
	pub.publish(room, text("in time"))
	pub.publish(fence, text("1"))
	sub.waitFor(fence, 1)
	if ms := sub.waitFor(room, 1); string(ms[0].Data) != "in time" {
		t.Errorf("delivered %q, want what was published after Subscribe", ms[0].Data)
	}
	sub.unsubscribe(room)
	sub.unsubscribe(other) // never subscribed: nothing happens
	pub.publish(room, text("too late"))
	pub.publish(fence, text("2"))
	sub.waitFor(fence, 2)
	sub.waitFor(room, 1)
	if ms := sub.rec.Messages(other); len(ms) > 0 {
		t.Errorf("%d messages of a room that was not subscribed", len(ms))
	}
	sub.subscribe(room)
	pub.publish(room, text("again"))
	if ms := sub.waitFor(room, 2); string(ms[1].Data) != "again" {
		t.Errorf("delivered %q, want what was published after the second Subscribe", ms[1].Data)
	}
}

// Interest is not counted: twice subscribed is delivered once, and ends at once.
func checkSubscribeTwice(_ testing.TB, w *world) {
	pub, sub := w.pair()
	room, fence := w.room("twice"), w.room("fence")
	sub.subscribe(room, fence, room)
	sub.subscribe(room)
	pub.publish(room, text("once"))
	pub.publish(fence, text("1"))
	sub.waitFor(fence, 1)
	sub.waitFor(room, 1)
	sub.unsubscribe(room)
	pub.publish(room, text("too late"))
	pub.publish(fence, text("2"))
	sub.waitFor(fence, 2)
	sub.waitFor(room, 1)
}

// What one goroutine publishes to a room arrives in that order, whatever the others do.
func checkOrder(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("order")
	pub.subscribe(room)
	sub.subscribe(room)
	const publishers, each = 8, 100
	var all sync.WaitGroup
	for p := range publishers {
		from := pub
		if p%2 == 1 {
			from = sub
		}
		all.Go(func() {
			for i := range each {
				if _, err := from.Publish(w.ctx, room, text("%d %d", p, i)); err != nil {
					t.Errorf("Publish: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	for _, n := range []*node{pub, sub} {
		next := make([]int, publishers)
		for _, m := range n.waitFor(room, publishers*each) {
			var p, i int
			if _, err := fmt.Sscan(string(m.Data), &p, &i); err != nil || next[p] != i {
				t.Fatalf("message %q, want number %d of this publisher", m.Data, next[p])
			}
			next[p]++
		}
	}
}

func checkRoomNames(t testing.TB, w *world) {
	pub, sub := w.pair()
	long := w.room("long")
	long += strings.Repeat("x", broker.MaxRoomName-len(long))
	good := []string{
		long, w.room("größe 🎈"), w.room("{tag}"), w.room("a}b{"), w.room("*"), w.room("[a-z]?"),
		w.room(" space "), w.room(`back\slash"quote'`), w.room("a:b/c.d|e"),
	}
	sub.subscribe(good...)
	for _, room := range good {
		pub.publish(room, text("%s", room))
	}
	for _, room := range good {
		if ms := sub.waitFor(room, 1); string(ms[0].Data) != room {
			t.Errorf("room %q got %q", room, ms[0].Data)
		}
	}
	for _, room := range []string{"", long + "x", "bad\xff", "line\nfeed", "nul\x00", "c1\u0085"} {
		if _, err := pub.Publish(w.ctx, room, text("m")); !errors.Is(err, broker.ErrRoomName) {
			t.Errorf("Publish to %q: %v, want ErrRoomName", room, err)
		}
		if err := pub.Subscribe(w.ctx, room); !errors.Is(err, broker.ErrRoomName) {
			t.Errorf("Subscribe to %q: %v, want ErrRoomName", room, err)
		}
		if h, ok := pub.Broker.(broker.History); ok {
			if _, err := h.Read(w.ctx, room, broker.Query{}); !errors.Is(err, broker.ErrRoomName) {
				t.Errorf("Read %q: %v, want ErrRoomName", room, err)
			}
		}
		if p, ok := pub.Broker.(broker.Presence); ok {
			if err := p.Enter(w.ctx, room, broker.Member{Conn: "c"}); !errors.Is(err, broker.ErrRoomName) {
				t.Errorf("Enter %q: %v, want ErrRoomName", room, err)
			}
		}
	}
}

// What could never be right is refused, not guessed at.
func checkArguments(t testing.TB, w *world) {
	n := w.node()
	room := w.room("arguments")
	for _, p := range []broker.Publication{
		{Retention: broker.Retention{Size: 1}},
		{Retention: broker.Retention{TTL: time.Minute}},
		{Retention: broker.Retention{Size: -1, TTL: time.Minute}},
		{Retention: broker.Retention{Size: 1, TTL: -time.Minute}},
		{IdempotencyKey: "k", IdempotencyTTL: -time.Minute},
	} {
		if _, err := n.Publish(w.ctx, room, p); !errors.Is(err, broker.ErrInvalid) {
			t.Errorf("Publish %+v: %v, want ErrInvalid", p, err)
		}
	}
	if h, ok := n.Broker.(broker.History); ok {
		for _, q := range []broker.Query{{Last: -1}, {Limit: -1}, {Retention: broker.Retention{Size: 1}}} {
			if _, err := h.Read(w.ctx, room, q); !errors.Is(err, broker.ErrInvalid) {
				t.Errorf("Read %+v: %v, want ErrInvalid", q, err)
			}
		}
	}
	if p, ok := n.Broker.(broker.Presence); ok {
		if err := p.Enter(w.ctx, room, broker.Member{User: "u"}); !errors.Is(err, broker.ErrInvalid) {
			t.Errorf("Enter without Conn: %v, want ErrInvalid", err)
		}
		if _, err := p.Members(w.ctx, room, -1); !errors.Is(err, broker.ErrInvalid) {
			t.Errorf("Members with limit -1: %v, want ErrInvalid", err)
		}
	}
}

// A node subscribes to as many rooms as it has use for, in one call too, and leaves them all.
func checkManyRooms(t testing.TB, w *world) {
	pub, sub := w.pair()
	rooms := make([]string, 20_000)
	prefix := w.room("many")
	for i := range rooms {
		rooms[i] = fmt.Sprintf("%s:%d", prefix, i)
	}
	sub.subscribe(rooms[:len(rooms)/2]...)
	for some := rooms[len(rooms)/2:]; len(some) > 0; some = some[100:] {
		sub.subscribe(some[:100]...)
	}
	for i := 0; i < len(rooms); i += 97 {
		pub.publish(rooms[i], text("%d", i))
	}
	for i := 0; i < len(rooms); i += 97 {
		if ms := sub.waitFor(rooms[i], 1); string(ms[0].Data) != fmt.Sprint(i) {
			t.Fatalf("room %d got %q", i, ms[0].Data)
		}
	}
	sub.unsubscribe(rooms...)
	fence := w.room("fence")
	sub.subscribe(fence)
	for i := 0; i < len(rooms); i += 97 {
		pub.publish(rooms[i], text("too late"))
	}
	pub.publish(fence, text("m"))
	sub.waitFor(fence, 1)
	for i := 0; i < len(rooms); i += 97 {
		sub.waitFor(rooms[i], 1)
	}
}
