package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
)

// tailing is a Tail in a goroutine.
type tailing struct {
	got  chan hub.Tailed
	err  chan error
	stop context.CancelFunc
}

// tail returns when the Tail is told of messages.
func tail(t *testing.T, s *server, room string) *tailing {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tl := &tailing{got: make(chan hub.Tailed, 1000), err: make(chan error, 1), stop: cancel}
	go func() { tl.err <- s.Tail(ctx, room, func(m hub.Tailed) { tl.got <- m }) }()
	t.Cleanup(cancel)
	for begun := false; !begun; {
		if _, err := s.Publish(t.Context(), room, []byte(`"first"`)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-tl.got:
			begun = true
		case err := <-tl.err:
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if _, err := s.Publish(t.Context(), room, []byte(`"begun"`)); err != nil {
		t.Fatal(err)
	}
	for string(tl.next(t).Data) != `"begun"` { // more of the first may come late
	}
	return tl
}

func (tl *tailing) next(t *testing.T) hub.Tailed {
	t.Helper()
	return receive(t, "a message", tl.got)
}

// TestTail: what is published on any node comes in order, with its place, whether the room has members or not. Data is a copy. Nobody sees
// the tail, and no application is told that the room is used.
func TestTail(t *testing.T) {
	nodes := newTown().start(t, 2, hub.WithOpenRooms("*"), hub.WithRooms("kept", hub.History(100, time.Hour), hub.Presence()))
	s := nodes[0]
	used, empty := make(chan string, 10), make(chan string, 10)
	s.OnRoomUsed(func(_ context.Context, room string) { used <- room })
	s.OnRoomEmpty(func(_ context.Context, room string) { empty <- room })
	tl := tail(t, s, "kept")
	var c *client // of the second round
	for round := range 2 {
		for i := range 20 {
			data := fmt.Appendf(nil, `{"n":%d}`, i)
			r, err := s.Publish(t.Context(), "kept", data)
			if err != nil {
				t.Fatal(err)
			}
			m := tl.next(t)
			if m.Room != "kept" || m.Position != r.Position || !bytes.Equal(m.Data, data) || m.Binary || m.Missed != 0 || time.Since(m.Time) > time.Minute {
				t.Fatalf("%+v, want %+v", m, r)
			}
			m.Data[0] = 'x' // it is the tail's own
		}
		if s.Room("kept").Members != round || len(used) != round {
			t.Errorf("members %d, told of %d uses", s.Room("kept").Members, len(used))
		}
		if round == 0 {
			c = s.dialV1(t, `{"op":"hello"}`)
			if r := c.ask(`{"op":"join","id":1,"room":"kept"}`); r.Op != "ok" {
				t.Fatalf("%+v", r)
			}
			<-used
			used <- "kept"
			if p, err := s.Presence(t.Context(), "kept", 10); err != nil || p.Count != 1 {
				t.Errorf("%+v, %v", p, err)
			}
		}
	}
	r := c.ask(`{"op":"leave","id":2,"room":"kept"}`)
	for r.Op == "message" || r.Op == "presence" {
		r = c.read()
	}
	if r.Op != "ok" {
		t.Errorf("%+v", r)
	}
	select {
	case <-empty: // though the room is tailed
	case <-time.After(patience):
		t.Error("the application is not told that the room is empty")
	}
	tl.stop()
	if err := <-tl.err; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestTailSlow: a slow function is told of how many messages it has missed, and delays nobody.
func TestTailSlow(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began, goOn := make(chan struct{}), make(chan struct{})
	var got, missed int64
	last := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		first, told := true, false
		ended <- s.Tail(ctx, "r", func(m hub.Tailed) {
			if first {
				first = false
				close(began)
				<-goOn
			}
			got++
			missed += m.Missed
			if string(m.Data) == `"last"` && !told {
				told = true
				close(last)
			}
		})
	}()
	sent := int64(0)
	publish := func(data string) {
		t.Helper()
		sent++
		if _, err := s.Publish(t.Context(), "r", []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	for waiting := true; waiting; {
		publish("1")
		select {
		case <-began:
			waiting = false
		case <-time.After(10 * time.Millisecond):
		}
	}
	before := sent
	for range 1000 {
		publish("2")
	}
	close(goOn)
	for { // until there is a place for it
		publish(`"last"`)
		select {
		case <-last:
		case <-time.After(10 * time.Millisecond):
			continue
		}
		break
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if missed < 1000-256 || got+missed > sent || got+missed < sent-before {
		t.Errorf("%d sent, %d came, %d missed", sent, got, missed)
	}
}

func TestTailEnds(t *testing.T) {
	s := start(t)
	if err := s.Tail(t.Context(), "", nil); !errors.Is(err, broker.ErrRoomName) {
		t.Error(err)
	}
	tl := tail(t, s, "r")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-tl.err; !errors.Is(err, hub.ErrClosed) {
		t.Error(err)
	}
	if err := s.Tail(t.Context(), "r", nil); !errors.Is(err, hub.ErrClosed) {
		t.Error(err)
	}
}
