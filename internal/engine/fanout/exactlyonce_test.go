package fanout

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// message is a stored one, by its epoch and offset.
type message struct{ epoch, offset uint64 }

// history is what a broker stores of a room. It tells the room a little later, in order.
type history struct {
	room *Room
	lag  chan message
	told chan struct{} // of a restart

	mu    sync.Mutex
	epoch uint64
	top   uint64
}

func (h *history) publish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.top++
	h.lag <- message{h.epoch, h.top}
}

// deliver tells the room what was published, and of other things that happen.
func (h *history) deliver(rnd *rand.Rand) {
	for m := range h.lag {
		if m.offset == 0 {
			h.room.RestartWith(0, func(dst []byte, _ frame.Form) []byte { return fmt.Appendf(dst, "gap %d 0", m.epoch) })
			h.told <- struct{}{}
		} else {
			_ = h.room.Ready(context.Background())
			add(h.room, m.offset, "message %d %d", m.epoch, m.offset)
		}
		if rnd.IntN(3) == 0 {
			add(h.room, 0, "event 0 0")
		}
	}
}

// position is that of the newest message but so many.
func (h *history) position(before uint64) message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return message{h.epoch, h.top - min(before, h.top)}
}

// since reads what follows a position. The answer to one of another epoch is a gap.
func (h *history) since(pos message) (ms []message, top message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	top = message{h.epoch, h.top}
	if pos.epoch == h.epoch {
		for o := pos.offset + 1; o <= h.top; o++ {
			ms = append(ms, message{h.epoch, o})
		}
	}
	return ms, top
}

// reader is a member that has read the history first.
type reader struct {
	member
	at message
}

// join reads until the room takes it. It returns what it has read, as the room would have sent it.
func (m *reader) join(h *history) (read []string, p Place) {
	for {
		mark := h.room.Now()
		ms, top := h.since(m.at)
		if top.epoch != m.at.epoch {
			read = append(read, fmt.Sprintf("gap %d %d", top.epoch, top.offset))
		}
		for _, x := range ms {
			read = append(read, fmt.Sprintf("message %d %d", x.epoch, x.offset))
		}
		m.at = top
		if p, ok := h.room.Join(m, mark.At(top.offset)); ok {
			return read, p
		}
	}
}

// TestExactlyOnce has members come and go while messages are published, delivered late, and the history begins
// anew: what a member reads and what it is sent is every message, once and in order, with a gap where an epoch
// ends.
func TestExactlyOnce(t *testing.T) {
	for _, restarts := range []int{0, 20} {
		t.Run(fmt.Sprintf("%d restarts", restarts), func(t *testing.T) {
			for seed := range uint64(5) {
				exactlyOnce(t, seed, restarts)
			}
		})
	}
}

func exactlyOnce(t *testing.T, seed uint64, restarts int) {
	const messages, readers = 500, 6
	r := newRig(t, 2, 16, 1<<20)
	h := &history{room: r.room(), lag: make(chan message, 50), told: make(chan struct{})}
	var delivering, publishing, reading sync.WaitGroup
	delivering.Go(func() { h.deliver(rand.New(rand.NewPCG(seed, 1))) })
	var done atomic.Bool
	publishing.Go(func() {
		for i := range messages {
			if restarts > 0 && i%(messages/restarts) == messages/restarts-1 {
				h.restart()
			}
			h.publish()
		}
	})
	stay := func(rnd *rand.Rand, last bool) {
		begin := h.position(rnd.Uint64N(20))
		m := &reader{at: begin}
		read, p := m.join(h)
		for n := rnd.IntN(20); m.count() < n && !done.Load(); {
			_ = h.room.Ready(context.Background())
		}
		if last {
			publishing.Wait()
			delivering.Wait()
			r.Close()
		}
		h.room.Leave(m, p)
		at := checkHistory(t, append(read, m.got()...), begin)
		if want := h.position(0); last && at != want {
			t.Errorf("seed %d: ends at %v, want %v", seed, at, want)
		}
	}
	for k := range uint64(readers) {
		reading.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 10+k))
			for !done.Load() {
				stay(rnd, false)
			}
		})
	}
	var staying sync.WaitGroup
	for k := range uint64(3) {
		staying.Go(func() { stay(rand.New(rand.NewPCG(seed, 100+k)), true) })
	}
	publishing.Wait()
	close(h.lag)
	delivering.Wait()
	done.Store(true)
	reading.Wait()
	staying.Wait()
}

// restart loses everything. Readers see that only when the room has been told.
func (h *history) restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch++
	h.top = 0
	h.lag <- message{h.epoch, 0}
	<-h.told
}

// checkHistory checks that what a member has got after at is without hole or repetition, and returns where it ends.
func checkHistory(t *testing.T, got []string, at message) message {
	t.Helper()
	for i, s := range got {
		var kind string
		var m message
		if _, err := fmt.Sscan(s, &kind, &m.epoch, &m.offset); err != nil {
			t.Errorf("%q: %v", s, err)
			return at
		}
		switch {
		case kind == "event":
			continue
		case kind == "gap" && m.epoch > at.epoch:
		case kind == "gap" && m == at: // read and then told of, which does no harm
		case kind == "message" && m == message{at.epoch, at.offset + 1}:
		default:
			t.Errorf("%q after %v, in %q", s, at, got[max(0, i-5):min(len(got), i+5)])
			return at
		}
		at = m
	}
	return at
}
