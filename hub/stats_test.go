package hub_test

import (
	"context"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
)

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
	await(t, "the call is over", func() bool { return s.Stats().Pool.Completed == 1 })
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
		{"Panics", st.Panics, 0},
		{"Heartbeat.Peers", int64(st.Heartbeat.Peers), 1},
		{"Pool.Submitted", int64(st.Pool.Submitted), 1},
	} {
		if v.got != v.want {
			t.Errorf("%s is %d, want %d", v.name, v.got, v.want)
		}
	}
	if st.Stale {
		t.Error("Stale")
	}
	_ = b.ws.Close()
	await(t, "the room is forgotten", func() bool { return s.Stats().Rooms == 0 })
	if n := s.Stats().Closed[protocol.CloseAbnormal]; n != 1 {
		t.Errorf("%d closed with 1006, want 1", n)
	}
}
