package brokertest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

var idempotencyChecks = []check{
	{"Idempotency", nil, checkIdempotency},
	{"IdempotencyPublishers", nil, checkIdempotencyPublishers},
	{"IdempotencyFlood", nil, checkIdempotencyFlood},
	{"IdempotencyTTL", nil, checkIdempotencyTTL},
	{"IdempotencyRace", hasHistory, checkIdempotencyRace},
}

// A key is known in its room, on all nodes, and a duplicate is not delivered.
func checkIdempotency(t testing.TB, w *world) {
	pub, sub := w.pair()
	room, other := w.room("idempotency"), w.room("other")
	sub.subscribe(room, other)
	publish := func(n *node, room, data, key string, duplicate bool) {
		t.Helper()
		p := text("%s", data)
		p.IdempotencyKey = key
		res := n.publish(room, p)
		if res.Duplicate != duplicate || !res.Position.IsZero() {
			t.Errorf("%s with key %q: %+v, want no position, duplicate %v", data, key, res, duplicate)
		}
	}
	publish(pub, room, "1", "a", false)
	publish(pub, room, "1 again", "a", true)
	publish(sub, room, "1 elsewhere", "a", true)
	publish(sub, room, "2", "b", false)
	publish(pub, other, "3", "a", false)
	publish(pub, room, "4", "", false)
	publish(pub, room, "5", "", false)
	want := []string{"1", "2", "4", "5"}
	got := map[string]bool{}
	for _, m := range sub.waitFor(room, len(want)) {
		got[string(m.Data)] = true
	}
	for _, data := range want {
		if !got[data] {
			t.Errorf("delivered %v, want %v", got, want)
		}
	}
	sub.waitFor(other, 1)
}

// Keys belong to their publisher, and to their room: whatever they are called, none is taken for another.
func checkIdempotencyPublishers(t testing.TB, w *world) {
	pub, sub := w.pair()
	type who struct{ room, publisher, key string }
	room := w.room("a")
	all := []who{
		{room, "", "k"}, {room, "ada", "k"}, {room, "bob", "k"}, {room, "adak", "k"}, {room, "ada", "kk"},
		{room, "ada:k", "k"}, {room, "ada", "k:k"}, {room, "ada\x00k", "k"}, {room, "ada", "\x00kk"}, {room, "", "ada:k"},
		{room + "}:idem:b", "", "k"}, {room, "", "b}:idem:k"}, {room, "", "b}:meta"}, {room, "", "b}:log"},
		{room + "}:meta", "", "k"}, {room + "}:log", "", "k"}, {room + "}:idem", "", "k"}, {room + "k", "", ""},
		{room + "k", "ada", "k"}, {room, "ada", "kkada"}, {room + "ada", "", "k"}, {room + "ada", "ada", "k"},
	}
	for i, x := range all {
		if x.key == "" {
			continue
		}
		n := pub
		if i%2 == 1 {
			n = sub
		}
		p := text("%d", i)
		p.Publisher, p.IdempotencyKey = x.publisher, x.key
		if n.publish(x.room, p).Duplicate {
			t.Errorf("%+q is taken for another", x)
		}
	}
	for _, x := range all {
		if x.key == "" {
			continue
		}
		p := text("again")
		p.Publisher, p.IdempotencyKey = x.publisher, x.key
		if !sub.publish(x.room, p).Duplicate {
			t.Errorf("%+q was not known", x)
		}
	}
}

// A publisher that uses thousands of keys does not make others lose theirs: retries of theirs are still known, and so
// are its own latest.
func checkIdempotencyFlood(t testing.TB, w *world) {
	n := w.node()
	room := w.room("flood")
	publish := func(publisher, key string) bool {
		t.Helper()
		p := text("m")
		p.Publisher, p.IdempotencyKey = publisher, key
		return n.publish(room, p).Duplicate
	}
	const flood, newest = 3000, 256
	for _, publisher := range []string{"", "ada"} {
		publish(publisher, "mine")
	}
	for i := range flood {
		publish("mallory", fmt.Sprint("key ", i))
	}
	for _, publisher := range []string{"", "ada"} {
		if !publish(publisher, "mine") {
			t.Errorf("the key of %q is forgotten after %d keys of another", publisher, flood)
		}
	}
	for i := flood - newest; i < flood; i++ {
		if !publish("mallory", fmt.Sprint("key ", i)) {
			t.Fatalf("key %d of %d is forgotten", i, flood)
		}
	}
}

// A key is forgotten in the end, and asking for it does not keep it alive.
func checkIdempotencyTTL(t testing.TB, w *world) {
	n := w.node()
	room := w.room("forgotten")
	p := text("m")
	p.IdempotencyKey, p.IdempotencyTTL = "k", 300*time.Millisecond
	if res := n.publish(room, p); res.Duplicate {
		t.Fatal("the first one is a duplicate")
	}
	w.eventually("the key to be forgotten", func() bool { return !n.publish(room, p).Duplicate })
}

// Of many publications with one key at the same time one is stored, and all learn where.
func checkIdempotencyRace(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("race")
	sub.subscribe(room)
	const rounds, racers = 20, 8
	kept := broker.Retention{Size: 2 * rounds, TTL: time.Minute}
	for round := range rounds {
		var (
			race    sync.WaitGroup
			results [racers]broker.Result
			errs    [racers]error
		)
		for i := range racers {
			n := pub
			if i%2 == 1 {
				n = sub
			}
			p := text("%d", round)
			p.IdempotencyKey, p.Retention = string(p.Data), kept
			race.Go(func() { results[i], errs[i] = n.Publish(w.ctx, room, p) })
		}
		race.Wait()
		first := 0
		for i, res := range results {
			if errs[i] != nil {
				t.Fatalf("Publish: %v", errs[i])
			}
			if !res.Duplicate {
				first++
			}
			if res.Position != results[0].Position || res.Position.Offset != uint64(round+1) {
				t.Errorf("round %d: position %+v, want offset %d for all", round, res.Position, round+1)
			}
		}
		if first != 1 {
			t.Errorf("round %d: %d publications were the first, want 1", round, first)
		}
	}
	sub.waitFor(room, rounds)
	if page := pub.read(room, broker.Query{Retention: kept}); len(page.Messages) != rounds {
		t.Errorf("%d messages stored, want %d", len(page.Messages), rounds)
	}
}
