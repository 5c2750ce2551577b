package redis_test

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

func readRoom(t testing.TB, b *redis.Broker, room string, q broker.Query) broker.Page {
	t.Helper()
	q.Retention = kept
	page, err := b.Read(t.Context(), room, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func fill(t testing.TB, b *redis.Broker, room string, from, to int) (last broker.Position) {
	t.Helper()
	for n := from; n <= to; n++ {
		last = publish(t, b, room, broker.Publication{Data: fmt.Append(nil, n), IdempotencyKey: fmt.Sprint(n), Retention: kept}).Position
	}
	return last
}

// follow reads on from since, and returns the numbers that it gets and whether there was a gap.
func follow(t testing.TB, b *redis.Broker, room string, since broker.Position) (numbers []int, gap bool) {
	t.Helper()
	for {
		page := readRoom(t, b, room, broker.Query{Since: since, Limit: 3})
		gap = gap || page.Gap
		for _, m := range page.Messages {
			n, err := strconv.Atoi(string(m.Data))
			if err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, n)
			since = m.Position
		}
		if page.Gap {
			since = page.Top
		}
		if !page.More {
			return numbers, gap
		}
	}
}

// consecutive reports whether numbers count from one to another.
func consecutive(numbers []int, from, to int) bool {
	for i, n := range numbers {
		if n != from+i {
			return false
		}
	}
	return len(numbers) == to-from+1
}

// A server that evicts may take any key of a room, before or after anything else. Whatever goes, nobody misses a message
// without being told of a gap: neither the nodes that listen, nor who resumes.
func TestLostKeys(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()})
	for name, lost := range map[string][]string{
		"nothing":  nil,
		"metadata": {":meta"},
		"log":      {":log"},
		"keys":     {":idem"},
		"both":     {":meta", ":log"},
		"all":      {":meta", ":log", ":idem"},
	} {
		for _, quiet := range []bool{false, true} {
			room := fmt.Sprintf("%s %v", name, quiet)
			subscribe(t, b, room)
			empty := readRoom(t, b, room, broker.Query{}).Top
			top := fill(t, b, room, 1, 5)
			positions := []broker.Position{empty, {Epoch: top.Epoch, Offset: 3}, top}
			for _, key := range lost {
				s.Do("DEL", "hubkit:{"+room+"}"+key)
			}
			last := 5
			if !quiet {
				fill(t, b, room, 6, 10)
				last = 10
			}
			for _, since := range positions {
				numbers, gap := follow(t, b, room, since)
				if !gap && !consecutive(numbers, int(since.Offset)+1, last) {
					t.Errorf("%s: since %d of %d: %v without a gap", room, since.Offset, last, numbers)
				}
				if gap && len(lost) == 0 {
					t.Errorf("%s: since %d of %d: a gap", room, since.Offset, last)
				}
			}
			wait(t, rec, "what was published", func(r *brokertest.Recorder) bool { return len(r.Messages(room)) == last })
			for i, m := range rec.Messages(room) {
				if string(m.Data) != fmt.Sprint(i+1) {
					t.Fatalf("%s: message %d is %s", room, i+1, m.Data)
				}
			}
			if strings.Contains(fmt.Sprint(lost), ":meta") {
				// Reading alone tells the node, so that nobody waits for it to notice.
				wait(t, rec, "the gap", func(r *brokertest.Recorder) bool { return len(r.Events(room)) > last })
			} else if n := len(rec.Events(room)); n != last {
				t.Errorf("%s: %d events, want %d and no gap", room, n, last)
			}
		}
	}
}

// With the policy allkeys-lru the server does the same by itself.
func TestEviction(t *testing.T) {
	const rooms, each, size = 30, 40, 8 << 10
	s := redistest.Start(t, "maxmemory 6mb", "maxmemory-policy allkeys-lru", "maxmemory-samples 2")
	b, rec := start(t, []string{s.Addr()})
	padding := string(bytes.Repeat([]byte(" "), size)) // a number with spaces around it is one still
	resume := make(map[string][]broker.Position)
	for n := 1; n <= each; n++ {
		for i := range rooms {
			room := fmt.Sprint("room ", i)
			if n == 1 && i%2 == 0 {
				subscribe(t, b, room)
			}
			pos := publish(t, b, room, broker.Publication{Data: []byte(fmt.Sprint(n) + padding), Retention: kept}).Position
			if n%10 == 0 {
				resume[room] = append(resume[room], pos, broker.Position{Epoch: fmt.Sprint(n), Offset: uint64(n)})
			}
		}
	}
	if s.Do("INFO", "stats") == "" || !evicted(s) {
		t.Fatal("the server has evicted nothing")
	}
	gaps := 0
	for room, positions := range resume {
		for i := 0; i < len(positions); i += 2 {
			since, seen := positions[i], int(positions[i+1].Offset)
			numbers, gap := readNumbers(t, b, room, since)
			if gap {
				gaps++
			} else if !consecutive(numbers, seen+1, each) {
				t.Errorf("%s since message %d: %v without a gap", room, seen, numbers)
			}
		}
	}
	t.Logf("%d gaps", gaps)
	for i := 0; i < rooms; i += 2 {
		room := fmt.Sprint("room ", i)
		wait(t, rec, "all messages of "+room, func(r *brokertest.Recorder) bool {
			ms := r.Messages(room)
			return len(ms) > 0 && strings.HasPrefix(string(ms[len(ms)-1].Data), fmt.Sprint(each)+" ")
		})
		next := 1
		for _, e := range rec.Events(room) {
			if e.Gap != nil {
				next = 0
				continue
			}
			n, _ := strconv.Atoi(strings.TrimSpace(string(e.Message.Data)))
			if n != next && next != 0 {
				t.Fatalf("%s: message %d where %d was due, without a gap", room, n, next)
			}
			next = n + 1
		}
	}
}

func evicted(s *redistest.Server) bool {
	return !strings.Contains(s.Do("INFO", "stats"), "evicted_keys:0")
}

func readNumbers(t testing.TB, b *redis.Broker, room string, since broker.Position) (numbers []int, gap bool) {
	t.Helper()
	page := readRoom(t, b, room, broker.Query{Since: since})
	for _, m := range page.Messages {
		n, err := strconv.Atoi(strings.TrimSpace(string(m.Data)))
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	return numbers, page.Gap
}

// What is no message in a room's history reaches nobody and is counted; the rest is read, and published, as if it were
// not there. Where a message was overwritten there is a gap.
func TestJunkInHistory(t *testing.T) {
	s := redistest.Start(t)
	b, _ := start(t, []string{s.Addr()})
	const messages = 10
	for _, tt := range []struct {
		name  string
		spoil func(log string)
		want  string // after which nothing is missing
		gap   bool
	}{
		{"appended", func(log string) { s.Do("RPUSH", log, "hello", "{}", "\x02\x00short") }, "1-10", false},
		{"put first", func(log string) { s.Do("LPUSH", log, "hello", "") }, "1-10", false},
		{"inserted", func(log string) { s.Do("LINSERT", log, "BEFORE", s.Do("LINDEX", log, "4"), `{"n":1}`) }, "1-10", false},
		{"overwritten", func(log string) { s.Do("LSET", log, "4", "junk") }, "1-4 6-10", true},
		{"overwritten twice", func(log string) { s.Do("LSET", log, "4", "junk"); s.Do("LSET", log, "5", "junk") }, "1-4 7-10", true},
		{"first overwritten", func(log string) { s.Do("LSET", log, "0", "junk") }, "", true},
		{"last overwritten", func(log string) { s.Do("LSET", log, "-1", "junk") }, "", true},
		{"last removed", func(log string) { s.Do("RPOP", log) }, "", true},
		{"one removed", func(log string) { s.Do("LREM", log, "1", s.Do("LINDEX", log, "4")) }, "", true},
		{"all overwritten", func(log string) { s.Do("DEL", log); s.Do("RPUSH", log, "a", "b") }, "", true},
	} {
		room, log := tt.name, "hubkit:{"+tt.name+"}:log"
		epoch := readRoom(t, b, room, broker.Query{}).Top.Epoch
		fill(t, b, room, 1, messages)
		before := b.Stats().Invalid
		tt.spoil(log)
		numbers, gap := follow(t, b, room, broker.Position{Epoch: epoch})
		if got := ranges(numbers); got != tt.want || gap != tt.gap {
			t.Errorf("%s: messages %s, gap %v; want %s, gap %v", tt.name, got, gap, tt.want, tt.gap)
		}
		if !strings.Contains(tt.name, "removed") && b.Stats().Invalid == before {
			t.Errorf("%s: nothing was counted", tt.name)
		}
		top := fill(t, b, room, messages+1, messages+40)
		if numbers, gap := follow(t, b, room, broker.Position{Epoch: top.Epoch, Offset: messages + 5}); gap || !consecutive(numbers, messages+6, messages+40) {
			t.Errorf("%s: afterwards %s, gap %v", tt.name, ranges(numbers), gap)
		}
	}
	for _, meta := range []string{"", "junk", "0123456789ab 1 2", "0123456789ab 5 6 7 8 9", "a b c d e"} {
		room := fmt.Sprintf("meta %q", meta)
		old := fill(t, b, room, 1, 3)
		s.Do("SET", "hubkit:{"+room+"}:meta", meta)
		subscribe(t, b, room)
		if page := readRoom(t, b, room, broker.Query{Since: old}); !page.Gap || page.Top.Epoch == old.Epoch {
			t.Errorf("%s: %+v, want a gap and another epoch than %s", room, page, old.Epoch)
		}
		if next := fill(t, b, room, 4, 4); next.Offset != 1 {
			t.Errorf("%s: next at %+v", room, next)
		}
	}
}

// ranges writes numbers as 1-4 6-10.
func ranges(numbers []int) string {
	var out []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		out = append(out, fmt.Sprintf("%d-%d", numbers[i], numbers[j]))
		i = j + 1
	}
	return strings.Join(out, " ")
}

// A room to which nothing was published has metadata for two minutes after it was read or kept. When they are gone, who listened
// all the time gets the first message, and who was away a gap.
func TestRoomWithoutMessages(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()})
	for _, again := range []bool{false, true} {
		room := fmt.Sprint("room ", again)
		subscribe(t, b, room)
		told := readRoom(t, b, room, broker.Query{}).Top
		if left := metaTTL(t, s, room); left > 2*time.Minute || left < time.Minute {
			t.Errorf("metadata of a room without messages lives for %v, want 2 minutes", left)
		}
		if page := readRoom(t, b, room, broker.Query{Since: told}); page.Gap || page.Top != told {
			t.Errorf("since %+v: %+v, want the same", told, page)
		}
		s.Do("DEL", metaKey(room)) // as if the time were over
		if again {
			if page := readRoom(t, b, room, broker.Query{}); page.Gap || page.Top.Offset != 0 {
				t.Errorf("read again: %+v", page)
			}
		}
		pos := fill(t, b, room, 1, 1)
		if left := metaTTL(t, s, room); left < 29*24*time.Hour {
			t.Errorf("metadata of a room with a message lives for %v, want 30 days", left)
		}
		wait(t, rec, "the message", func(r *brokertest.Recorder) bool { return len(r.Messages(room)) == 1 })
		if e := rec.Events(room); len(e) != 1 || e[0].Message == nil || e[0].Message.Position != pos {
			t.Errorf("%d events, want the message alone", len(e))
		}
		if page := readRoom(t, b, room, broker.Query{Since: told}); !page.Gap {
			t.Errorf("since %+v: %+v, want a gap", told, page)
		}
	}
}

// A page makes the server send little more than its bytes.
func TestPageBytesOnTheWire(t *testing.T) {
	s := redistest.Start(t)
	b, _ := start(t, []string{s.Addr()})
	for range 128 {
		publish(t, b, "room", broker.Publication{Data: make([]byte, 64<<10), Retention: kept})
	}
	sent := func() int {
		_, rest, _ := strings.Cut(s.Do("INFO", "stats"), "total_net_output_bytes:")
		digits, _, _ := strings.Cut(rest, "\r")
		n, err := strconv.Atoi(strings.TrimSpace(strings.Split(digits, "\n")[0]))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := sent()
	const pages, space = 10, 256 << 10
	for range pages {
		if page := readRoom(t, b, "room", broker.Query{Last: 128, Bytes: space}); len(page.Messages) != 4 || !page.More {
			t.Fatalf("%d messages, more %v", len(page.Messages), page.More)
		}
	}
	if each := (sent() - before) / pages; each > space+32<<10 {
		t.Errorf("%d bytes for a page of %d", each, space)
	}
}

// The keys of a publisher take a bounded memory, in however many rooms it uses them.
func TestKeysAreBounded(t *testing.T) {
	const each = 100
	s := redistest.Start(t)
	b, _ := start(t, []string{s.Addr()}, redis.WithIdempotencyKeys(each, each))
	for i := range 20 * each {
		for _, publisher := range []string{"", "ada"} {
			p := broker.Publication{Data: []byte("m"), Publisher: publisher, IdempotencyKey: strings.Repeat("k", 100) + fmt.Sprint(i)}
			room := "room"
			if publisher != "" {
				room = fmt.Sprint(i % 50)
			}
			publish(t, b, room, p)
		}
	}
	keys := strings.Fields(s.Do("KEYS", "*idem*"))
	if len(keys) != 2 {
		t.Fatalf("keys %q, want one of the service's room and one of the publisher", keys)
	}
	for _, key := range keys {
		if n := s.Do("HLEN", key); n != fmt.Sprint(2*each+1) {
			t.Errorf("%s has %s fields, want %d", key, n, 2*each+1)
		}
		if ms, _ := strconv.Atoi(s.Do("PTTL", key)); ms <= 0 || ms > 300_000 {
			t.Errorf("%s lives for %d ms", key, ms)
		}
	}
	p := broker.Publication{Data: []byte("m"), Publisher: "bob", IdempotencyKey: "long", IdempotencyTTL: time.Hour}
	publish(t, b, "room", p)
	p.IdempotencyKey, p.IdempotencyTTL = "short", time.Millisecond
	publish(t, b, "room", p)
	p.IdempotencyKey, p.IdempotencyTTL = "long", 0
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if res, err := b.Publish(ctx, "room", p); err != nil || !res.Duplicate {
		t.Errorf("a key with a longer life: %+v, %v, want a duplicate", res, err)
	}
	p.IdempotencyKey = "short"
	p.IdempotencyTTL = time.Millisecond
	eventually(t, "the key with a shorter life to go", func() bool { return !publish(t, b, "room", p).Duplicate })
}
