package hub_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestSSEOutage: streams are told by events of their own that the broker is lost, and that it is back. They stay, and their
// ids with them. A stream that is opened meanwhile is told too, and that its room is not to be had now.
func TestSSEOutage(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		b := newOutage(t)
		p := w.start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithCompression(1, 1),
			hub.WithOutage(hub.OutageDegrade), hub.WithRooms("kept", hub.DefaultHistory()))
		publish := func(room string, n int) {
			t.Helper()
			if _, err := p.server.Publish(t.Context(), room, fmt.Append(nil, n)); err != nil {
				t.Fatal(err)
			}
		}
		e := p.open("room=kept&room=plain", encoding(compressed))
		e.named("joined")
		e.named("joined")
		publish("kept", 1)
		at := e.named("message").id
		if !strings.HasSuffix(at, ".1") {
			t.Errorf("id %q", at)
		}

		b.lose()
		if stale := e.expect("stale", `{"op":"stale"}`); stale.id != at {
			t.Errorf("id %q, want %q", stale.id, at)
		}
		publish("plain", 2) // this node's own, and nothing else came before it
		e.expect("message", `{"op":"message","room":"plain","data":2}`)

		late := p.open("room=new", encoding(compressed))
		late.named("welcome")
		late.expect("stale", `{"op":"stale"}`)
		if f := late.named("refused").frame(t); string(f.Code) != string(protocol.CodeUnavailable) || string(f.Room) != "new" {
			t.Errorf("%+v", f)
		}
		late.closes(protocol.CloseTryAgainLater)
		idle := p.open("", encoding(compressed)) // in no room, so that it stays
		idle.named("welcome")
		idle.expect("stale", `{"op":"stale"}`)

		b.restore()
		if live := e.expect("live", `{"op":"live"}`); live.id != at {
			t.Errorf("id %q, want %q", live.id, at)
		}
		idle.expect("live", `{"op":"live"}`)
		publish("kept", 3)
		if m := e.named("message"); m.frame(t).Position.Offset != 2 || !strings.HasSuffix(m.id, ".2") {
			t.Errorf("%s", m)
		}
		back := p.open("room=new", encoding(compressed))
		back.named("welcome")
		back.expect("joined", `{"op":"joined","room":"new"}`)
	})
}

// TestSSERateLimit: each room of a stream counts as a message. At the first one above the limit the client is told to come
// back, when it may. The rate is so low that nothing comes back while the test runs.
func TestSSERateLimit(t *testing.T) {
	const burst = 4
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		p := w.start(t, hub.WithOpenRooms("*"), hub.WithCompression(1, 1), hub.WithRateLimit(0.001, burst))
		stillServed := p.server.bystander(t, "elsewhere")
		rooms := make([]string, burst+2)
		for i := range rooms {
			rooms[i] = fmt.Sprintf("room=r%d", i)
		}
		fits := p.open(strings.Join(rooms[:burst], "&"), encoding(compressed))
		for range burst {
			fits.named("joined")
		}
		over := p.open(strings.Join(rooms, "&"), encoding(compressed))
		for i := range burst {
			if f := over.named("joined").frame(t); string(f.Room) != fmt.Sprintf("r%d", i) {
				t.Errorf("joined %s", f.Room)
			}
		}
		f := over.named("refused").frame(t)
		if string(f.Room) != fmt.Sprintf("r%d", burst) || string(f.Code) != string(protocol.CodeRateLimited) || f.RetryAfter < 900*time.Second {
			t.Errorf("%+v", f)
		}
		c := over.closes(protocol.CloseTryAgainLater)
		if c.Reason != string(protocol.CodeRateLimited) || c.Retry < 900_000 || int64(over.retry) < c.Retry {
			t.Errorf("%+v, retry %d", c, over.retry)
		}
		// Another stream has a limit of its own, and nobody else notices.
		another := p.open(rooms[0], encoding(compressed))
		another.named("joined")
		if _, err := p.server.Publish(t.Context(), "r0", []byte("1")); err != nil {
			t.Fatal(err)
		}
		for _, e := range []*eventStream{fits, another} {
			e.expect("message", `{"op":"message","room":"r0","data":1}`)
		}
		stillServed()
		// Its end is told before it is taken off the list.
		await(t, "the refused one is gone", func() bool { return p.server.Stats().Conns == 3 })
		if st := p.server.Stats(); st.Limited != 0 {
			t.Errorf("%d limited", st.Limited)
		}
	})
}

// TestMixedRoomSkips: members of all codecs are in a room with history, and most messages are kept from one of them. That one
// has a skip in the form of its codec, over an event stream an id without an event, and the others have the message.
func TestMixedRoomSkips(t *testing.T) {
	const messages = 60
	p := start(t, hub.WithOpenRooms("*"), hub.WithCompression(1, 1), hub.WithRooms("kept:*", hub.DefaultHistory())).streams(t)
	s := p.server
	var conns []string
	var speakers []*client
	for _, inCBOR := range []bool{false, true} {
		c := s.connect(t, nil, subprotocols[inCBOR])
		c.hello = false
		c.write(`{"op":"hello"}`)
		conns = append(conns, c.welcomed().Conn)
		c.ask(`{"op":"join","id":1,"room":"kept:a"}`)
		speakers = append(speakers, c)
	}
	type member struct {
		*eventStream
		query string
		head  http.Header
	}
	var streams []*member
	for _, compressed := range []bool{false, true} {
		for _, query := range []string{"room=kept:a", "room=kept:b&room=kept:a"} { // its ids are shared, or its own
			m := &member{query: query, head: encoding(compressed)}
			m.eventStream = p.open(query, m.head)
			conns = append(conns, string(m.named("welcome").frame(t).Conn))
			for range strings.Count(query, "room=") {
				m.named("joined")
			}
			streams = append(streams, m)
		}
	}
	exceptedFrom := func(i int) func(n int) bool { // the last message is everybody's
		return func(n int) bool { return n < messages && n%(len(conns)+1) == i }
	}
	for n := 1; n <= messages; n++ {
		var opts []hub.PublishOption
		for i, id := range conns {
			if exceptedFrom(i)(n) {
				opts = append(opts, hub.ExceptConn(id))
			}
		}
		if _, err := s.Publish(t.Context(), "kept:a", fmt.Append(nil, n), opts...); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range speakers {
		c.place(1, messages, exceptedFrom(i))
		c.alive()
	}
	for i, m := range streams {
		skipped, skips := exceptedFrom(len(speakers)+i), 0
		for n := 1; n <= messages; n++ {
			suffix := fmt.Sprintf(".%d", n)
			if skipped(n) {
				skips++
				continue
			}
			ev := m.named("message")
			if f := ev.frame(t); f.Position.Offset != uint64(n) || string(f.Data) != fmt.Sprint(n) || !strings.HasSuffix(ev.id, suffix) {
				t.Fatalf("%s %v: %s, want message %d", m.query, m.head, ev, n)
			}
			// Skips have come in their places, each with its own id.
			if len(m.skips) != skips || skips > 0 && skipped(n-1) && !strings.HasSuffix(m.skips[skips-1], fmt.Sprintf(".%d", n-1)) {
				t.Fatalf("%s %v: before message %d came the skips %q, want %d", m.query, m.head, n, m.skips, skips)
			}
			if strings.Count(ev.id, "=") != strings.Count(m.query, "room=") {
				t.Errorf("id %q", ev.id)
			}
		}
		if skips < messages/10 {
			t.Errorf("only %d messages were skipped", skips)
		}
		// The id of a skip is one to come back with.
		_ = m.release()
		header := m.head.Clone()
		header.Set("Last-Event-ID", m.skips[skips-1])
		back := p.open(m.query, header)
		ev := back.named("joined")
		for ev.name == "joined" {
			ev = back.next()
		}
		var first int
		for first = messages; !skipped(first); first-- {
		}
		if f := ev.frame(t); ev.name != "message" || f.Position.Offset != uint64(first+1) {
			t.Errorf("after %s comes %s", m.skips[skips-1], ev)
		}
	}
	if st := s.Stats(); st.Dropped != 0 || st.Gaps != 0 {
		t.Errorf("%+v", st)
	}
}
