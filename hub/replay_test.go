package hub_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
)

// TestReplay: a client that does not read while thousands of messages are published is not cut, holds no more memory for
// that, and then gets all of them in order.
func TestReplay(t *testing.T) {
	const early, late, later, size = 500, 2000, 2500, 2 << 10
	overAll(t, func(t *testing.T, tr transport) {
		s := slowServer(t, tr)
		slow, conn := s.stall(t, "replay")
		s.publishMany(t, "replay", 0, early, size)
		await(t, "a page waits", func() bool {
			st := conn.Stats()
			return st.Replaying == 1 && st.BacklogMessages > 0
		})
		short := conn.Stats()
		s.publishMany(t, "replay", early, late, size)
		await(t, "all has been offered", func() bool { return s.Stats().Published == late })
		if long := conn.Stats(); long.Replaying != 1 || long.BacklogBytes > 128<<10 || long.BacklogBytes > max(short.BacklogBytes, 16*(size+200)+64<<10) {
			t.Errorf("after %d messages %+v wait, after %d %+v", early, short, late, long)
		}
		published := make(chan struct{})
		go func() {
			defer close(published)
			s.publishMany(t, "replay", late, later, size)
		}()
		next := 0
		for next < later {
			r := slow.read()
			if n := number(t, r); n != next || r.Offset != uint64(n+1) {
				t.Fatalf("message %d with offset %d, want message %d", n, r.Offset, next)
			}
			next++
		}
		finished(t, "publishing", published)
		await(t, "it is in step again", func() bool { return conn.Stats().Replaying == 0 })
		s.publishMany(t, "replay", later, later+1, size)
		if n := number(t, slow.read()); n != later {
			t.Errorf("live: %d", n)
		}
		st := s.ruleStats("replay")
		if st.Replayed < late/2 || st.Dropped != 0 {
			t.Errorf("%+v", st)
		}
		slow.alive()
		await(t, "all is counted", func() bool { return conn.Stats().Delivered >= later+1 })
		if got := conn.Stats(); got.Delivered != later+1 || got.Dropped != 0 || got.Conflated != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// TestReplayBeyondHistory: what the history has no more is a gap, and counted as dropped.
func TestReplayBeyondHistory(t *testing.T) {
	const messages, size = 400, 4 << 10
	overAll(t, func(t *testing.T, tr transport) {
		s := slowServer(t, tr)
		slow, conn := s.stall(t, "short")
		s.publishMany(t, "short", 0, messages, size)
		got, gaps, last := 0, 0, uint64(0)
		for last < messages {
			r := slow.read()
			switch {
			case r.Op == "gap":
				gaps++
			case r.Offset == last+1:
				got++
			default:
				t.Fatalf("%s %.10s with offset %d after %d", r.Op, r.Data, r.Offset, last)
			}
			last = r.Offset
		}
		if gaps == 0 {
			t.Error("nothing was missed")
		}
		// The history has messages that the room's passes have yet to take, and count.
		await(t, "all is counted", func() bool {
			st := conn.Stats()
			return st.Replaying == 0 && st.Delivered+st.Dropped == messages
		})
		if st := conn.Stats(); st.Delivered != int64(got) {
			t.Errorf("%d received of %d: %+v", got, messages, st)
		}
		slow.alive()
	})
}

// behind makes a client that reads nothing and has fallen behind in a room, to which messages are published.
func (s *server) behind(t *testing.T, room string, messages, size int) (*client, *hub.Conn) {
	t.Helper()
	slow, conn := s.stall(t, room)
	s.publishMany(t, room, 0, messages, size)
	await(t, "it is behind", func() bool { return conn.Stats().Replaying == 1 })
	return slow, conn
}

// TestEndsOfReplay ends a replay before its time in every way. Nothing goes on afterwards, and every message is counted.
func TestEndsOfReplay(t *testing.T) {
	const messages, size = 300, 4 << 10
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, s *server, slow *client, c *hub.Conn)
	}{
		{"the connection is closed", func(_ *testing.T, _ *server, _ *client, c *hub.Conn) { _ = c.Close(4000, "enough") }},
		{"the client goes", func(_ *testing.T, _ *server, slow *client, _ *hub.Conn) { _ = slow.ws.Close() }},
		{"the room is left", func(t *testing.T, s *server, _ *client, c *hub.Conn) {
			if err := c.Leave(t.Context(), "replay"); err != nil {
				t.Error(err)
			}
			if st := c.Stats(); st.Replaying != 0 {
				t.Errorf("after it has left the room: %+v", st)
			}
			s.publishMany(t, "replay", 0, 5, size) // not for it
			_ = c.Close(4000, "enough")
		}},
		{"shutdown", func(t *testing.T, s *server, _ *client, _ *hub.Conn) { s.shutdown(t) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				s := slowServer(t, tr, hub.WithCloseTimeout(50*time.Millisecond))
				slow, conn := s.stall(t, "replay")
				witness := s.dial(t) // after the slow one in the room: what it has was offered to both
				witness.ask(`{"op":"join","room":"replay"}`)
				for i := range messages { // one by one, so that the witness is never behind, and reads nothing from the history
					s.publishMany(t, "replay", i, i+1, size)
					witness.read()
				}
				await(t, "it is behind", func() bool { return conn.Stats().Replaying == 1 })
				tt.end(t, s, slow, conn)
				await(t, "it is gone", func() bool { return s.Stats().Conns < 2 })
				st := conn.Stats()
				if sum := st.Delivered + st.Dropped; sum != messages || st.Dropped == 0 {
					t.Errorf("published %d: %+v", messages, st)
				}
			})
		})
	}
}

// TestRejoinDuringReplay: who joins the room again from a position of its own gets everything after it, once.
func TestRejoinDuringReplay(t *testing.T) {
	const messages, size = 300, 4 << 10
	overAll(t, func(t *testing.T, tr transport) {
		s := slowServer(t, tr)
		slow, _ := s.behind(t, "replay", messages, size)
		page, err := s.History(t.Context(), "replay", broker.Position{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		slow.write(fmt.Sprintf(`{"op":"join","id":7,"room":"replay","epoch":%q,"offset":10}`, page.Top.Epoch))
		s.publishMany(t, "replay", messages, messages+100, size)
		for r := slow.read(); r.ID != 7; r = slow.read() {
			// What was on its way.
		}
		for want := uint64(11); want <= messages+100; want++ {
			r := slow.read()
			if r.Offset != want {
				t.Fatalf("%s with offset %d, want %d", r.Op, r.Offset, want)
			}
		}
		slow.alive()
	})
}

// TestPresenceDuringReplay: who comes and goes while a client is behind is known to it afterwards.
func TestPresenceDuringReplay(t *testing.T) {
	const messages, size, visitors = 300, 4 << 10, 4
	s := slowServer(t, poller)
	slow, _ := s.behind(t, "present", messages, size)
	want := make(map[string]string)
	for range visitors {
		v := s.dial(t)
		v.ask(`{"op":"join","id":1,"room":"present"}`)
		want[v.id] = "join leave"
		_ = v.ws.Close()
		await(t, "the visitor is gone", func() bool { return s.Stats().Conns == 1 })
	}
	got := make(map[string]string)
	for n, left := 0, visitors; n < messages || left > 0; {
		p := slow.next()
		var r struct {
			Op   string
			Data json.RawMessage
		}
		var who struct{ Conn string }
		if err := json.Unmarshal([]byte(p), &r); err != nil {
			t.Fatal(err)
		}
		switch r.Op {
		case "message":
			n++
		case "join", "leave":
			if err := json.Unmarshal(r.Data, &who); err != nil {
				t.Fatal(err)
			}
			got[who.Conn] = strings.TrimSpace(got[who.Conn] + " " + r.Op)
			if r.Op == "leave" {
				left--
			}
		default:
			t.Fatalf("%s", p)
		}
	}
	for id := range want {
		if got[id] != want[id] {
			t.Errorf("%s: %q", id, got[id])
		}
	}
}
