package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
)

// TestEveryMessageIsCounted: what is published is counted once for each member, and presence events apart from it. Clients
// count the same.
func TestEveryMessageIsCounted(t *testing.T) {
	const members, published = 4, 60
	overAll(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithRooms("here", hub.Presence()),
			hub.WithRooms("past", hub.Presence(), hub.DefaultHistory()))
		var messages, events atomic.Int64
		var clients []*client
		for range members {
			c := s.dial(t)
			clients = append(clients, c)
			c.write(`{"op":"join","room":"here"}`)
			c.write(`{"op":"join","room":"past"}`)
			for joined := 0; joined < 2; {
				switch r := c.read(); r.Op {
				case "ok":
					joined++
				case "join":
					events.Add(1)
				default:
					t.Fatalf("%+v", r)
				}
			}
		}
		for _, c := range clients[1:] {
			go func() {
				for {
					p, err := c.tryNext()
					if err != nil {
						return
					}
					switch {
					case bytes.Contains(p, []byte(`"op":"message"`)):
						messages.Add(1)
					case bytes.Contains(p, []byte(`"op":"join"`)), bytes.Contains(p, []byte(`"op":"leave"`)):
						events.Add(1)
					}
				}
			}()
		}
		for i := range published {
			for _, room := range []string{"here", "past"} {
				for range 2 { // the second is a duplicate
					_, err := s.Publish(t.Context(), room, []byte("1"), hub.IdempotencyKey(fmt.Sprint(i), time.Minute))
					if err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for range 2 * published { // the first reads here, so that what is published goes to all
			for {
				r := clients[0].read()
				if r.Op == "message" {
					messages.Add(1)
					break
				}
				events.Add(1)
			}
		}
		_ = clients[0].ws.Close()
		var st hub.Stats
		await(t, "all is counted", func() bool {
			st = s.Stats()
			return st.Conns == members-1 && messages.Load() == 2*published*members && st.PresenceEvents == events.Load() &&
				st.Delivered == messages.Load()
		})
		if st.Published != 2*published || st.Duplicates != 2*published || st.Dropped+st.Conflated+st.Replayed != 0 {
			t.Errorf("%+v", st)
		}
		if least := int64(2 * (members - 1)); st.PresenceEvents < least { // the others hear that the first has left
			t.Errorf("%d presence events, at least %d were sent", st.PresenceEvents, least)
		}
		if rule := s.ruleStats("here"); rule.Delivered != published*members || rule.PresenceEvents == 0 || rule.PresenceEvents >= st.PresenceEvents {
			t.Errorf("%+v", rule)
		}
	})
}

func TestStats(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser), hub.WithRoomLinger(time.Millisecond),
		hub.WithRooms("past:*", hub.History(10, time.Hour)))
	if st := s.Stats(); st.Conns != 0 || st.Accepted != 0 || st.Pool != (workerpool.Stats{}) || len(st.Closed) != 0 {
		t.Errorf("new hub: %+v", st)
	}
	s.Handle("heavy", func(context.Context, *hub.Conn, []byte) (any, error) { return nil, nil }, hub.Heavy())
	a, b := s.dialAs(t, "ada"), s.dial(t)
	s.refused(t, map[string][]string{"Origin": {"https://evil.example"}})
	a.ask(`{"op":"join","id":1,"room":"past:a"}`)
	a.ask(`{"op":"publish","id":2,"room":"other","data":1}`)
	for range 3 {
		if _, err := s.Publish(t.Context(), "past:a", []byte("1")); err != nil {
			t.Fatal(err)
		}
		a.read()
	}
	b.ask(`{"op":"join","id":1,"room":"past:a","history":2}`)
	b.read()
	b.read()
	b.ask(`broken`)
	b.write(`{"op":"call","id":1,"method":"heavy"}`)
	b.read()
	if err := a.ws.WriteMessage(2, nil); err != nil {
		t.Fatal(err)
	}
	a.closed(protocol.CloseUnsupportedData)
	await(t, "the first is gone", func() bool { return s.Stats().Conns == 1 })

	// The pool counts a task as completed after its answer was sent.
	await(t, "the call is over and all is counted", func() bool {
		st := s.Stats()
		return st.Pool.Completed == 1 && st.Delivered >= 5
	})
	st := s.Stats()
	for _, v := range []struct {
		name      string
		got, want int64
	}{
		{"Conns", int64(st.Conns), 1},
		{"Rooms", int64(st.Rooms), 1},
		{"Users", int64(st.Users), 0},
		{"Accepted", st.Accepted, 2},
		{"Refused", st.Refused, 1},
		{"Closed with 1003", st.Closed[protocol.CloseUnsupportedData], 1},
		{"Received", st.Received, 6},
		{"Invalid", st.Invalid, 1},
		{"Limited", st.Limited, 0},
		{"Published", st.Published, 4},
		{"Degraded", st.Degraded, 0},
		{"Delivered", st.Delivered, 5},
		{"Replayed", st.Replayed, 2},
		{"Dropped", st.Dropped, 0},
		{"Gaps", st.Gaps, 0},
		{"Recovered", st.Recovered, 0},
		{"RecoveredWithGap", st.RecoveredWithGap, 0},
		{"Panics", st.Panics, 0},
		{"Heartbeat.Peers", int64(st.Heartbeat.Peers), 1},
		{"Pool.Submitted", st.Pool.Submitted, 1},
	} {
		if v.got != v.want {
			t.Errorf("%s is %d, want %d", v.name, v.got, v.want)
		}
	}
	if st.Stale {
		t.Error("Stale")
	}
	_ = b.ws.Close()
	await(t, "the room is forgotten, and the client gone", func() bool {
		st := s.Stats()
		return st.Rooms == 0 && st.Conns == 0 // of which its end is counted before
	})
	if n := s.Stats().Closed[protocol.CloseAbnormal]; n != 1 {
		t.Errorf("%d closed with 1006, want 1", n)
	}
}
