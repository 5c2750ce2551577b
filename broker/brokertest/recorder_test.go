package brokertest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
)

func at(epoch string, offset uint64) broker.Position {
	return broker.Position{Epoch: epoch, Offset: offset}
}

func message(data string, pos broker.Position) []broker.Message {
	return []broker.Message{{Data: []byte(data), Position: pos}}
}

func TestRecorderFollowsPositions(t *testing.T) {
	const room = "room"
	for _, c := range []struct {
		name  string
		calls func(*brokertest.Recorder)
		fault string
	}{
		{"plain", func(r *brokertest.Recorder) {
			r.Deliver(room, message("1", broker.Position{}))
			r.Deliver(room, message("2", broker.Position{}))
		}, ""},
		{"contiguous, from anywhere", func(r *brokertest.Recorder) {
			r.Deliver(room, message("1", at("e", 7)))
			r.Deliver(room, append(message("2", at("e", 8)), message("3", at("e", 9))...))
		}, ""},
		{"hole", func(r *brokertest.Recorder) {
			r.Deliver(room, message("1", at("e", 7)))
			r.Deliver(room, message("2", at("e", 9)))
		}, "after"},
		{"hole within a call", func(r *brokertest.Recorder) {
			r.Deliver(room, append(message("1", at("e", 7)), message("2", at("e", 9))...))
		}, "after"},
		{"repetition", func(r *brokertest.Recorder) {
			r.Deliver(room, message("1", at("e", 7)))
			r.Deliver(room, message("1", at("e", 7)))
		}, "after"},
		{"another epoch", func(r *brokertest.Recorder) {
			r.Deliver(room, message("1", at("e", 7)))
			r.Deliver(room, message("2", at("f", 8)))
		}, "after"},
		{"hole with a gap", func(r *brokertest.Recorder) {
			r.Deliver(room, message("1", at("e", 7)))
			r.Gap(room, at("e", 10))
			r.Deliver(room, message("2", at("e", 11)))
		}, ""},
		{"hole after a gap", func(r *brokertest.Recorder) {
			r.Gap(room, at("e", 10))
			r.Deliver(room, message("2", at("e", 12)))
		}, "after"},
		{"another epoch with a gap", func(r *brokertest.Recorder) {
			r.Deliver(room, message("1", at("e", 7)))
			r.Gap(room, at("f", 0))
			r.Deliver(room, message("2", at("f", 1)))
		}, ""},
		{"half a position", func(r *brokertest.Recorder) { r.Deliver(room, message("1", at("e", 0))) }, "after"},
		{"forgotten", func(r *brokertest.Recorder) {
			r.Deliver(room, message("1", at("e", 7)))
			r.Forget(room)
			r.Deliver(room, message("2", at("e", 70)))
		}, ""},
		{"nothing in a call", func(r *brokertest.Recorder) { r.Deliver(room, nil) }, "without messages"},
		{"after the end", func(r *brokertest.Recorder) {
			r.Seal()
			r.StateChanged(broker.Stale)
		}, "Seal"},
		{"changed payload", func(r *brokertest.Recorder) {
			ms := message("1", broker.Position{})
			r.Deliver(room, ms)
			ms[0].Data[0] = '2'
		}, "changed"},
		{"slice used again", func(r *brokertest.Recorder) {
			ms := message("1", broker.Position{})
			r.Deliver(room, ms)
			ms[0] = broker.Message{}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := brokertest.NewRecorder()
			c.calls(r)
			err := r.Err()
			if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("Err: %v, want %q", err, c.fault)
			}
		})
	}
}

func TestRecorderKeeps(t *testing.T) {
	r := brokertest.NewRecorder()
	r.Deliver("a", message("1", at("e", 1)))
	r.PresenceChanged("a", broker.Member{Conn: "c"}, true)
	r.Gap("a", at("e", 5))
	r.Command("node", []byte("do"))
	r.StateChanged(broker.Stale)
	e := r.Events("a")
	if len(e) != 3 || string(e[0].Message.Data) != "1" || e[1].Member.Conn != "c" || !e[1].Joined || *e[2].Gap != at("e", 5) {
		t.Errorf("events %+v", e)
	}
	if len(r.Messages("a")) != 1 || r.Messages("b") != nil {
		t.Errorf("messages %v and %v, want one and none", r.Messages("a"), r.Messages("b"))
	}
	if c := r.Commands(); len(c) != 1 || c[0].From != "node" || string(c[0].Payload) != "do" {
		t.Errorf("commands %+v", c)
	}
	if !slices.Equal(r.States(), []broker.State{broker.Stale}) {
		t.Errorf("states %v", r.States())
	}
	if s := r.String(); !strings.Contains(s, "1 commands, 1 states, 1 rooms; a: 3 events") {
		t.Errorf("String: %s", s)
	}
}

func TestRecorderWait(t *testing.T) {
	r := brokertest.NewRecorder()
	var sender sync.WaitGroup
	sender.Go(func() {
		for range 10 {
			r.Command("node", nil)
		}
	})
	if err := r.Wait(t.Context(), func(r *brokertest.Recorder) bool { return len(r.Commands()) == 10 }); err != nil {
		t.Error(err)
	}
	sender.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wait(ctx, func(*brokertest.Recorder) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with a canceled context: %v", err)
	}
}

// Calls for one room that overlap are found, calls for several rooms may.
func TestRecorderOverlap(t *testing.T) {
	overlap := func(rooms ...string) error {
		r := brokertest.NewRecorder()
		var callers sync.WaitGroup
		for _, room := range rooms {
			callers.Go(func() {
				for range 2000 {
					r.Deliver(room, message("m", broker.Position{}))
				}
			})
		}
		callers.Wait()
		return r.Err()
	}
	if err := overlap("a", "b", "c", "d"); err != nil {
		t.Errorf("four rooms: %v", err)
	}
	if err := overlap("a", "a", "a", "a"); err == nil || !strings.Contains(err.Error(), "two calls") {
		t.Errorf("one room: %v, want two calls at a time", err)
	}
}
