package redis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// Any program publishes with a plain PUBLISH of JSON to the channel that the documentation names. What is not
// JSON is dropped and counted.
func TestPlainPublish(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()})
	subscribe(t, b, "room")
	want := []string{`{"n":1}`, ` [1, 2]`, `"text"`, "\n3.5e3", "null", "true"}
	bad := []string{"hello", "{", "", "\x01", "\x02\x00short", "\x7f"}
	for _, p := range append(bad, want...) {
		if n := s.Do("PUBLISH", "hubkit:{room}", p); n != "1" {
			t.Errorf("PUBLISH reached %s subscribers, want 1", n)
		}
	}
	wait(t, rec, "all messages", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) >= len(want) })
	for i, m := range rec.Messages("room") {
		if string(m.Data) != want[i] || m.Binary || m.ConflationKey != "" || !m.Position.IsZero() {
			t.Errorf("message %d: %+v, want %s and nothing else", i, m, want[i])
		}
	}
	if n := b.Stats().Invalid; n != int64(len(bad)) {
		t.Errorf("%d messages were invalid, want %d", n, len(bad))
	}
}

// Any program publishes to a room with history by the documented script.
func TestScriptPublish(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()})
	subscribe(t, b, "room")
	eval := func(payload, key, idempotency string) string {
		forget := "0"
		if idempotency != "" {
			forget = "60000"
		}
		return s.Do("EVAL", redis.PublishScript(), "3", "hubkit:{room}:meta", "hubkit:{room}:log", "hubkit:{room}:idem",
			"hubkit:{room}", "PUBLISH", payload, key, "0", "100", "60000", "3600000", forget, idempotency)
	}
	first := eval(`{"n":1}`, "k", "once")
	if again := eval(`{"n":1}`, "k", "once"); again != strings.TrimSuffix(first, "0")+"1" {
		t.Errorf("second time: %q after %q, want the same with 1 at the end", again, first)
	}
	res := publish(t, b, "room", broker.Publication{Data: []byte("2"), Retention: kept})
	if want, _, _ := strings.Cut(first, "\n"); res.Position.Epoch != want || res.Position.Offset != 2 {
		t.Errorf("position %+v after %q", res.Position, first)
	}
	if res := publish(t, b, "room", broker.Publication{Data: []byte("1"), IdempotencyKey: "once", Retention: kept}); !res.Duplicate {
		t.Error("a key that the script has stored is not known")
	}
	wait(t, rec, "both messages", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) == 2 })
	if m := rec.Messages("room")[0]; string(m.Data) != `{"n":1}` || m.ConflationKey != "k" || m.Position.Offset != 1 {
		t.Errorf("message %+v, want what the script was given", m)
	}
}

// A broker without a receiver only publishes.
func TestPublisher(t *testing.T) {
	for name, addrs := range map[string]func() []string{
		"standalone": func() []string { return []string{redistest.Start(t).Addr()} },
		"cluster":    func() []string { return redistest.StartCluster(t, false).Addrs() },
	} {
		t.Run(name, func(t *testing.T) {
			addrs := addrs()
			b, rec := start(t, addrs)
			subscribe(t, b, "room")
			pub := newBroker(t, addrs)
			if err := pub.Start(t.Context(), "", nil); err != nil {
				t.Fatal(err)
			}
			closeWithTest(t, pub)
			publish(t, pub, "room", broker.Publication{Data: []byte("m")})
			publish(t, pub, "room", broker.Publication{Data: []byte("m"), Retention: kept})
			wait(t, rec, "both messages", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) == 2 })
			if err := pub.Subscribe(t.Context(), "room"); !errors.Is(err, broker.ErrInvalid) {
				t.Errorf("Subscribe: %v, want ErrInvalid", err)
			}
			nodes, err := pub.Nodes(t.Context())
			if err != nil || len(nodes) != 1 {
				t.Errorf("Nodes: %+v, %v, want only the one with a receiver", nodes, err)
			}
		})
	}
}

// Prefixes keep applications apart that share a server, in every respect.
func TestPrefix(t *testing.T) {
	s := redistest.Start(t)
	one, heard := start(t, []string{s.Addr()}, redis.WithPrefix("one"))
	two, other := start(t, []string{s.Addr()}, redis.WithPrefix("two"))
	subscribe(t, one, "room")
	subscribe(t, two, "room")
	for range 3 {
		publish(t, one, "room", broker.Publication{Data: []byte("1"), Retention: kept})
	}
	enter(t, one, "room", "a")
	if err := one.Broadcast(t.Context(), []byte("c")); err != nil {
		t.Fatal(err)
	}
	wait(t, heard, "all", func(r *brokertest.Recorder) bool {
		return len(r.Events("room")) == 4 && len(r.Commands()) == 1
	})
	if n := count(t, two, "room"); n != 0 {
		t.Errorf("%d members under the other prefix", n)
	}
	if res := publish(t, two, "room", broker.Publication{Data: []byte("2"), Retention: kept}); res.Position.Offset != 1 {
		t.Errorf("position %+v under the other prefix", res.Position)
	}
	wait(t, other, "the own message", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) > 0 })
	if n := len(other.Events("room")) + len(other.Commands()); n != 1 {
		t.Errorf("%d events under the other prefix, want 1", n)
	}
	for key := range strings.Lines(s.Do("KEYS", "*")) {
		if !strings.HasPrefix(key, "one:") && !strings.HasPrefix(key, "two:") {
			t.Errorf("key %q without a prefix", key)
		}
	}
}

// A room whose name begins with a closing brace has no hash tag of its own; all it has is in one slot still.
func TestBraces(t *testing.T) {
	c := redistest.StartCluster(t, false)
	b, rec := start(t, c.Addrs())
	for _, room := range []string{"}", "}a", "{}", "a}b", "{", "{a}{b}"} {
		subscribe(t, b, room)
		p := broker.Publication{Data: []byte(room), IdempotencyKey: "k", Retention: kept}
		publish(t, b, room, p)
		if !publish(t, b, room, p).Duplicate {
			t.Errorf("room %q: the key is not known", room)
		}
		enter(t, b, room, "c")
		wait(t, rec, "the message", func(r *brokertest.Recorder) bool { return len(r.Messages(room)) == 1 })
		page, err := b.Read(t.Context(), room, broker.Query{Retention: kept})
		if err != nil || len(page.Messages) != 1 || count(t, b, room) != 1 {
			t.Errorf("room %q: %+v, %v", room, page, err)
		}
	}
}
