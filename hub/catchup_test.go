package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
)

// askedBroker notes what is read of its histories.
type askedBroker struct {
	*memory.Broker
	mu      sync.Mutex
	queries []broker.Query
}

func newAskedBroker(t testing.TB) *askedBroker {
	t.Helper()
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	return &askedBroker{Broker: b}
}

func (b *askedBroker) Read(ctx context.Context, room string, q broker.Query) (broker.Page, error) {
	b.mu.Lock()
	b.queries = append(b.queries, q)
	b.mu.Unlock()
	return b.Broker.Read(ctx, room, q)
}

// asked returns what was read since the last call.
func (b *askedBroker) asked() []broker.Query {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queries
	b.queries = nil
	return q
}

// TestPagesBeginSmall: the broker is asked for no more bytes than a client that has taken the page before is likely to take,
// and not for messages where only the position is wanted. Nothing stays lent.
func TestPagesBeginSmall(t *testing.T) {
	b := newAskedBroker(t)
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("past:*", hub.History(1000, time.Hour)))
	s.publishMany(t, "past:a", 0, 1000, 2<<10)
	b.asked()
	c := s.dial(t)
	c.ask(`{"op":"join","id":1,"room":"past:a"}`)
	if q := b.asked(); len(q) != 1 || !q[0].PositionOnly {
		t.Errorf("a join without history reads %+v", q)
	}
	c.ask(`{"op":"join","id":2,"room":"past:a","history":1000}`)
	for range 1000 {
		c.read()
	}
	c.alive()
	queries := b.asked()
	want := 16 << 10
	for i, q := range queries {
		if q.Bytes != want || q.PositionOnly {
			t.Errorf("page %d: %+v, want %d bytes", i+1, q, want)
		}
		want = min(2*want, 256<<10)
	}
	if len(queries) < 10 {
		t.Errorf("2 MB were read in %d pages", len(queries))
	}
	await(t, "nothing is lent", func() bool { return s.PagesLent() == 0 })
}

// TestUnsoundMessages: what other programs publish and is no JSON reaches no client, live or from the history. In a room with
// history there is a gap in its place, and what comes after it comes.
func TestUnsoundMessages(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		b := newAskedBroker(t)
		s := tr.start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("past:*", hub.DefaultHistory()))
		kept := broker.Retention{Size: 1000, TTL: 10 * time.Minute}
		publish := func(room, data string, isBinary bool) broker.Position {
			t.Helper()
			p := broker.Publication{Data: []byte(data), Binary: isBinary}
			if room != "plain" {
				p.Retention = kept
			}
			res, err := b.Publish(t.Context(), room, p)
			if err != nil {
				t.Fatal(err)
			}
			return res.Position
		}
		bad := []string{"hello", "", "{", `{"a":1}{}`, "\"\xff\"", string(bytes.Repeat([]byte("["), 100)) + string(bytes.Repeat([]byte("]"), 100))}
		plain := s.dial(t)
		plain.ask(`{"op":"join","id":1,"room":"plain"}`)
		for _, data := range bad {
			publish("plain", data, false)
		}
		publish("plain", "1", true)
		publish("plain", `"good"`, false)
		plain.expect(`{"op":"message","room":"plain","bin":"MQ=="}`, `{"op":"message","room":"plain","data":"good"}`)
		if n := s.Stats().Corrupt; n != int64(len(bad)) {
			t.Errorf("%d corrupt, want %d", n, len(bad))
		}

		live := s.dial(t)
		epoch := live.ask(`{"op":"join","id":1,"room":"past:a"}`).Epoch
		var want []string
		message := func(offset int) string {
			return fmt.Sprintf(`{"op":"message","room":"past:a","epoch":%q,"offset":%d,"data":%d}`, epoch, offset, offset)
		}
		gap := func(offset int) string {
			return fmt.Sprintf(`{"op":"gap","room":"past:a","epoch":%q,"offset":%d}`, epoch, offset)
		}
		for i := 1; i <= 9; i++ {
			data := fmt.Sprint(i)
			if i == 1 || i == 4 || i == 5 || i == 9 {
				publish("past:a", "junk", false)
				want = append(want, gap(i))
				continue
			}
			publish("past:a", data, false)
			want = append(want, message(i))
		}
		live.expect(want...)
		resumed := s.dial(t)
		resumed.ask(`{"op":"join","id":1,"room":"past:a","epoch":"` + epoch + `","offset":0}`)
		resumed.expect(want...)
		newest := s.dial(t)
		if r := newest.ask(`{"op":"join","id":1,"room":"past:a","history":4}`); r.Offset != 5 {
			t.Errorf("the newest four: %+v", r)
		}
		newest.expect(want[5:]...)
		publish("past:a", "10", false)
		for _, c := range []*client{live, resumed, newest} {
			c.expect(message(10))
			c.alive()
		}
	})
}

// TestEvictionsAreCounted: what the broker drops to stay within its bounds is among the hub's figures.
func TestEvictionsAreCounted(t *testing.T) {
	b, err := memory.New(memory.WithMaxHistoryBytes(64 << 10))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, hub.WithBroker(b), hub.WithRooms("past:*", hub.History(1000, time.Hour)), hub.WithRooms("small:*", hub.History(1000, time.Hour), hub.HistoryBytes(10<<10)))
	s.publishMany(t, "small:a", 0, 100, 1<<10)
	if e := s.Stats().Evictions; e != (broker.Evictions{}) {
		t.Errorf("%+v: a room's own bound evicts nothing", e)
	}
	if page, err := s.History(t.Context(), "small:a", broker.Position{}, 0); err != nil || len(page.Messages) < 5 || len(page.Messages) > 10 {
		t.Errorf("%d messages of 1 KiB are kept in 10 KiB, %v", len(page.Messages), err)
	}
	s.publishMany(t, "past:a", 0, 100, 1<<10)
	if e := s.Stats().Evictions; e.Messages == 0 {
		t.Errorf("%+v after 100 KiB where 64 KiB are held", e)
	}
}

// TestJoinOfSlowReader: a client that takes longer for a long history than a request may take of the broker's time gets all of
// it.
func TestJoinOfSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := startTimed(t, hub.WithOpenRooms("*"), hub.WithRooms("past:*", hub.History(1000, time.Hour)),
			hub.WithWriteTimeout(time.Minute), hub.WithHeartbeat(heartbeat.Disabled()))
		defer stop()
		const messages = 200
		for i := range messages {
			if _, err := s.Publish(t.Context(), "past:a", payload(i, 2<<10)); err != nil {
				t.Fatal(err)
			}
		}
		d := websocket.Dialer{NetDialContext: s.net.dial}
		ws, resp, err := d.Dial("ws://memory/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		defer func() { _ = ws.Close() }()
		read := func() (f struct {
			Op, Code string
			Offset   int
		}) {
			if err := ws.ReadJSON(&f); err != nil {
				t.Fatal(err)
			}
			return f
		}
		read() // the welcome
		if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"op":"join","id":1,"room":"past:a","history":1000}`)); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if f := read(); f.Op != "ok" {
			t.Fatalf("the join is answered by %+v", f)
		}
		for i := range messages {
			time.Sleep(500 * time.Millisecond)
			if f := read(); f.Op != "message" || f.Offset != i+1 {
				t.Fatalf("frame %d is %+v", i, f)
			}
		}
		if took := time.Since(begin); took < time.Minute {
			t.Fatalf("it took %v, which shows nothing", took)
		}
	})
}
