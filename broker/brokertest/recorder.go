package brokertest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gohubkit/hubkit/broker"
)

// Recorder is a [broker.Receiver] that records its calls and checks the guarantees of package broker. It finds two
// calls for a room at the same time, a hole or a step back in the offsets, a payload that changes afterwards,
// and a call after the broker was closed. NewRecorder makes it. Its methods may be called from several goroutines.
type Recorder struct {
	mu       sync.Mutex
	changed  chan struct{} // closed, and replaced, with each call
	rooms    map[string]*heard
	commands []Command
	states   []broker.State
	faults   []error
	sealed   bool
}

var _ broker.Receiver = (*Recorder)(nil)

// Command has the arguments of one call of Receiver.Command.
type Command struct {
	From    string
	Payload []byte
}

// Event is one event of a room. Exactly one of Message, Gap and Member is set. A call of Deliver makes one
// event for each message.
type Event struct {
	Message *broker.Message
	Gap     *broker.Position
	Member  *broker.Member
	Joined  bool
}

// heard has the events of one room.
type heard struct {
	busy   bool // within Deliver or Gap
	last   broker.Position
	events []Event
	data   []string // copies of the messages' payloads, in order
}

// NewRecorder makes an empty recorder.
func NewRecorder() *Recorder {
	return &Recorder{changed: make(chan struct{}), rooms: make(map[string]*heard)}
}

// Deliver implements broker.Receiver.
func (r *Recorder) Deliver(room string, ms []broker.Message) {
	if len(ms) == 0 {
		r.call(func() { r.fault("room %q: Deliver without messages", room) })
		return
	}
	r.exclusive(room, func(h *heard) {
		for _, m := range ms {
			r.follow(room, h, m.Position)
			h.events = append(h.events, Event{Message: &m})
			h.data = append(h.data, string(m.Data))
		}
	})
}

// Gap implements broker.Receiver.
func (r *Recorder) Gap(room string, pos broker.Position) {
	r.exclusive(room, func(h *heard) {
		h.events = append(h.events, Event{Gap: &pos})
		h.last = pos
	})
}

// PresenceChanged implements broker.Receiver.
func (r *Recorder) PresenceChanged(room string, m broker.Member, joined bool) {
	r.call(func() {
		h := r.room(room)
		h.events = append(h.events, Event{Member: &m, Joined: joined})
	})
}

// Command implements broker.Receiver.
func (r *Recorder) Command(from string, payload []byte) {
	r.call(func() { r.commands = append(r.commands, Command{from, slices.Clone(payload)}) })
}

// StateChanged implements broker.Receiver.
func (r *Recorder) StateChanged(s broker.State) {
	r.call(func() { r.states = append(r.states, s) })
}

// call notes a call.
func (r *Recorder) call(note func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		r.fault("call after Seal")
	}
	note()
	close(r.changed)
	r.changed = make(chan struct{})
}

// exclusive notes a call that must be the only one for its room, and gives another one the time to be
// seen.
func (r *Recorder) exclusive(room string, note func(*heard)) {
	r.mu.Lock()
	h := r.room(room)
	if h.busy {
		r.fault("room %q: two calls at a time", room)
	}
	h.busy = true
	r.mu.Unlock()
	runtime.Gosched()
	r.call(func() {
		note(h)
		h.busy = false
	})
}

// follow checks that a message's position is the one after the last. A message without a position
// stands outside.
func (r *Recorder) follow(room string, h *heard, pos broker.Position) {
	if pos.IsZero() {
		return
	}
	want := broker.Position{Epoch: h.last.Epoch, Offset: h.last.Offset + 1}
	if h.last.Offset == 0 {
		want.Epoch = pos.Epoch // of a room without messages, it may have changed
	}
	if pos.Epoch == "" || pos.Offset == 0 || !h.last.IsZero() && pos != want {
		r.fault("room %q: message at %+v after %+v", room, pos, h.last)
	}
	h.last = pos
}

func (r *Recorder) room(name string) *heard {
	h := r.rooms[name]
	if h == nil {
		h = new(heard)
		r.rooms[name] = h
	}
	return h
}

func (r *Recorder) fault(format string, args ...any) {
	if len(r.faults) < 20 {
		r.faults = append(r.faults, fmt.Errorf(format, args...))
	}
}

// Messages returns the messages of a room, in order.
func (r *Recorder) Messages(room string) []broker.Message {
	var ms []broker.Message
	for _, e := range r.Events(room) {
		if e.Message != nil {
			ms = append(ms, *e.Message)
		}
	}
	return ms
}

// Events returns all events of a room, in order.
func (r *Recorder) Events(room string) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.rooms[room]; h != nil {
		return slices.Clone(h.events)
	}
	return nil
}

// Commands returns the commands, in order.
func (r *Recorder) Commands() []Command {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.commands)
}

// States returns the states, in order.
func (r *Recorder) States() []broker.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.states)
}

// Forget deletes the events of a room. Its next message then need not follow the last one. Use it for a room that
// was unsubscribed in between.
func (r *Recorder) Forget(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.rooms, room)
}

// Seal makes every later call a fault. Use it after the broker was closed.
func (r *Recorder) Seal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sealed = true
	for name, h := range r.rooms {
		if h.busy {
			r.fault("room %q: a call outlasted the broker", name)
		}
	}
}

// Wait blocks until done returns true, or until ctx ends; it then returns ctx's error. It calls done in the caller's
// goroutine, at once and after each call of the recorder. done may use the recorder.
func (r *Recorder) Wait(ctx context.Context, done func(*Recorder) bool) error {
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if done(r) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Err returns the faults that were found, joined. It keeps the first 20, and adds each payload that has changed. It is
// nil if there is none.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	faults := slices.Clone(r.faults)
	for name, h := range r.rooms {
		n := 0
		for _, e := range h.events {
			if e.Message == nil {
				continue
			}
			if string(e.Message.Data) != h.data[n] {
				faults = append(faults, fmt.Errorf("room %q: payload %d changed after it was delivered", name, n+1))
			}
			n++
		}
	}
	return errors.Join(faults...)
}

// String returns a summary of the calls, for messages of failed tests.
func (r *Recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var s strings.Builder
	fmt.Fprintf(&s, "%d commands, %d states, %d rooms", len(r.commands), len(r.states), len(r.rooms))
	shown := 0
	for name, h := range r.rooms {
		if shown++; shown > 5 {
			break
		}
		fmt.Fprintf(&s, "; %s: %d events up to %+v", name, len(h.events), h.last)
	}
	return s.String()
}
