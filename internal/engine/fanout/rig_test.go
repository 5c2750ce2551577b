package fanout

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// rig is a Scheduler, and what it reported.
type rig struct {
	*Scheduler
	frame.Account
}

func newRig(t testing.TB, workers, maxMessages, maxBytes int) *rig {
	t.Helper()
	r := new(rig)
	s, err := NewScheduler(Config{
		Workers: workers, MaxMessages: maxMessages, MaxBytes: maxBytes,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Scheduler = s
	t.Cleanup(s.Close)
	return r
}

func (r *rig) room() *Room {
	room := new(Room)
	room.Init(r.Scheduler, frame.Source{Account: &r.Account})
	return room
}

// member takes what it is sent, and calls hook, where there is one, before.
type member struct {
	hook func(b *frame.Batch, from int)
	err  error
	keep bool // hold on to batches
	form frame.Form

	mu     sync.Mutex
	passes [][]string
	kept   []*frame.Batch
}

// Form implements Former: text, unless the test says otherwise.
func (m *member) Form() frame.Form {
	if m.form == 0 {
		return 0x10 | frame.Text
	}
	return m.form
}

func (m *member) Send(b *frame.Batch, from int) (sent int, retained bool, err error) {
	if m.hook != nil {
		m.hook(b, from)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		b.Source().Account.Dropped.Add(int64(b.Len() - from))
		return 0, false, m.err
	}
	m.passes = append(m.passes, payloads(b.Wire(from)))
	if m.keep {
		m.kept = append(m.kept, b)
		return 0, true, nil
	}
	return b.Len() - from, false, nil
}

func (m *member) got() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Concat(m.passes...)
}

// count is the number of passes that m was part of.
func (m *member) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.passes)
}

// payloads takes apart what package frame has built.
func payloads(wire []byte) (all []string) {
	for len(wire) > 0 {
		h, n := 2, int(wire[1])
		if n == 126 {
			h, n = 4, int(binary.BigEndian.Uint16(wire[2:]))
		}
		all = append(all, string(wire[h:h+n]))
		wire = wire[h+n:]
	}
	return all
}

func add(r *Room, offset uint64, format string, args ...any) {
	r.Add(frame.Text, offset, "", func(dst []byte, _ frame.Form) []byte { return fmt.Appendf(dst, format, args...) })
}

func join(t testing.TB, r *Room, m Member) Place {
	t.Helper()
	p, ok := r.Join(m, 0)
	if !ok {
		t.Fatal("Join was refused")
	}
	return p
}

// gate is a member that stays in its first Send until it is opened.
type gate struct {
	member
	entered, opened chan struct{}
	once            sync.Once
}

func newGate() *gate {
	g := &gate{entered: make(chan struct{}), opened: make(chan struct{})}
	g.hook = func(*frame.Batch, int) {
		g.once.Do(func() {
			close(g.entered)
			<-g.opened
		})
	}
	return g
}

func (g *gate) open() { close(g.opened) }

// stall keeps the one worker of r busy elsewhere until goOn is called. What was queued before has been sent then.
func (r *rig) stall(t testing.TB) (goOn func()) {
	t.Helper()
	g := newGate()
	room := r.room()
	join(t, room, g)
	add(room, 0, "x")
	<-g.entered
	return g.open
}

func expect(t testing.TB, m *member, want ...string) {
	t.Helper()
	if got := m.got(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
