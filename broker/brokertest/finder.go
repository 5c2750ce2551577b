package brokertest

import (
	"bytes"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/broker"
)

var finderChecks = []check{{"Finder", nil, checkFinder}}

// finder is a Recorder that may be asked for rooms. A room of an earlier answer says so if it is still used.
type finder struct {
	*Recorder
	hidden string // has no room of its own

	mu     sync.Mutex
	newest map[string]*found
}

func newFinder(hidden string) *finder {
	return &finder{Recorder: NewRecorder(), hidden: hidden, newest: make(map[string]*found)}
}

// Room implements broker.RoomFinder.
func (f *finder) Room(name string) broker.RoomReceiver {
	if name == f.hidden {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &found{f, name}
	f.newest[name] = r
	return r
}

// DeliverSoon implements broker.BatchReceiver.
func (f *finder) DeliverSoon(room string, ms []broker.Message) { f.Deliver(room, kept(ms)) }

// Flush implements broker.BatchReceiver.
func (f *finder) Flush() {}

// found is a room of a finder.
type found struct {
	f    *finder
	name string
}

func (r *found) Deliver(ms []broker.Message) {
	r.f.mu.Lock()
	old := r.f.newest[r.name] != r
	r.f.mu.Unlock()
	if old {
		r.f.call(func() { r.f.fault("room %q: delivered to what an earlier Subscribe was told", r.name) })
	}
	r.f.Deliver(r.name, ms)
}

func (r *found) DeliverSoon(ms []broker.Message) { r.Deliver(kept(ms)) }

// kept copies messages whose Data is the broker's again afterwards.
func kept(ms []broker.Message) []broker.Message {
	ms = append([]broker.Message(nil), ms...)
	for i := range ms {
		ms[i].Data = bytes.Clone(ms[i].Data)
	}
	return ms
}

// A receiver that finds rooms is told the same, whether a room is its own or not, and however often the node subscribes.
func checkFinder(_ testing.TB, w *world) {
	rooms := []string{w.room("found"), w.room("hidden")}
	f := newFinder(rooms[1])
	sub := w.nodeOf(f.Recorder, f)
	pub := sub
	if w.Nodes > 1 {
		pub = w.node()
	}
	retention := broker.Retention{Size: 100, TTL: w.Deadline}
	for _, room := range rooms {
		sent := 0
		round := func(subscribe func(...string)) {
			subscribe(room)
			for range 3 {
				pub.publish(room, broker.Publication{Data: []byte("1"), Retention: retention})
				pub.publish(room, text("2"))
			}
			sent += 6
			sub.waitFor(room, sent)
		}
		round(sub.subscribe)
		round(sub.subscribe) // once more
		sub.unsubscribe(room)
		f.Forget(room)
		sent = 0
		round(sub.subscribe)
	}
}
