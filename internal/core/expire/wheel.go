// Package expire ends rights in time: a connection's identity, and its grants of rooms. A [Wheel] has one goroutine and no
// timer for a right. What has no end is not in it and costs nothing.
//
// A right has two moments: when its holder is asked for a new token, and when it ends. The former is drawn, so that a million
// tokens that were issued together are not renewed together.
package expire

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Event is what is due.
type Event uint8

const (
	// Ask says that a right ends soon, and that its holder should renew it.
	Ask Event = iota
	// End says that a right has ended. It is not in the wheel any more.
	End
)

// Due is a right whose moment has come.
type Due[K comparable] struct {
	Key   K
	Event Event
	// Left is how long the right lasts; zero at its end.
	Left time.Duration
}

const (
	// DefaultTick is the grain of a Wheel's time.
	DefaultTick = time.Second
	// MaxBatch is how many rights a callback is told of at once.
	MaxBatch = 256
	// Holders are asked when between askEarly and askLate of a right's time is left, in percent. They have no less than
	// minNotice ticks: a right that is shorter is not asked about.
	askEarly  = 40
	askLate   = 20
	minNotice = 5
	// slots are the ticks that a round takes.
	slots = 1 << 10
)

// Wheel knows when rights end. Times are durations from the call on, by the monotonic clock: a wall clock that jumps ends
// nothing early and nothing late. With a key of 16 bytes, an entry takes 80 to 160 bytes. Its methods may be called from
// several goroutines, and all but Close from within the callback.
type Wheel[K comparable] struct {
	tick time.Duration
	call func([]Due[K])
	// start is what ticks count from.
	start time.Time

	mu      sync.Mutex
	closed  bool
	now     uint64 // the last tick whose slot was swept
	entries map[K]place
	slots   [slots][]entry[K]

	stop chan struct{}
	done chan struct{}
}

// place is where an entry is.
type place struct{ slot, index uint32 }

type entry[K comparable] struct {
	key K
	due uint64        // tick
	end time.Duration // since the wheel's start
	ask bool          // due is the time to ask
}

// New starts a wheel, and with it a goroutine that Close ends. Zero for tick is DefaultTick; a right ends up to a tick after
// its time, and never before. call is told of what is due, up to MaxBatch rights at once. The wheel's goroutine calls it
// with no lock held; while it blocks, nothing ends. It must not keep the slice.
func New[K comparable](tick time.Duration, call func([]Due[K])) (*Wheel[K], error) {
	if tick == 0 {
		tick = DefaultTick
	}
	if tick < time.Millisecond {
		return nil, fmt.Errorf("expire: a tick of %v, at least 1 ms is needed", tick)
	}
	w := &Wheel[K]{
		tick: tick, call: call, start: time.Now(), entries: make(map[K]place),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// Set gives a right d from now on, in place of what it had. If the end is a date, of a token for instance, d is what
// time.Until says of it now: a clock that is set afterwards changes nothing. A right whose d is not positive ends with the
// next tick.
func (w *Wheel[K]) Set(key K, d time.Duration) {
	d = max(0, min(d, maxLife))
	e := entry[K]{key: key, end: time.Since(w.start) + d}
	e.due = w.after(e.end)
	if notice := d / 100 * askLate; notice >= minNotice*w.tick {
		e.ask = true
		e.due = w.after(e.end - notice - rand.N(d/100*(askEarly-askLate)+1))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take(key)
	w.put(e)
}

// maxLife keeps sums of durations from overflowing. It is 100 years.
const maxLife = 100 * 365 * 24 * time.Hour

// Remove takes a right out, and reports whether it was there. A callback under way may still tell of it.
func (w *Wheel[K]) Remove(key K) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.take(key)
}

// Left is how long a right lasts, and whether it has an end.
func (w *Wheel[K]) Left(key K) (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.entries[key]
	if !ok {
		return 0, false
	}
	return max(0, w.slots[p.slot][p.index].end-time.Since(w.start)), true
}

// Len is how many rights have an end.
func (w *Wheel[K]) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.entries)
}

// Close ends the wheel's goroutine and returns when it is gone: nothing is told after that. It must not be called from
// within the callback. Later calls wait in the same way.
func (w *Wheel[K]) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.stop)
	}
	w.mu.Unlock()
	<-w.done
}

// after is the first tick that is not before a time.
func (w *Wheel[K]) after(at time.Duration) uint64 { return uint64((at + w.tick - 1) / w.tick) }

// put is called with mu held; the key must not be in the wheel.
func (w *Wheel[K]) put(e entry[K]) {
	e.due = max(e.due, w.now+1) // the slot of now has been swept
	slot := uint32(e.due % slots)
	w.entries[e.key] = place{slot, uint32(len(w.slots[slot]))}
	w.slots[slot] = append(w.slots[slot], e)
}

// take is called with mu held. The slot's last entry moves to the place of the one that is taken.
func (w *Wheel[K]) take(key K) bool {
	p, ok := w.entries[key]
	if !ok {
		return false
	}
	s := w.slots[p.slot]
	last := len(s) - 1
	if int(p.index) != last {
		s[p.index] = s[last]
		w.entries[s[p.index].key] = p
	}
	s[last] = entry[K]{}
	w.slots[p.slot] = s[:last]
	if last == 0 {
		w.slots[p.slot] = nil // a crowd's slot is not kept
	}
	delete(w.entries, key)
	return true
}

func (w *Wheel[K]) run() {
	defer close(w.done)
	t := time.NewTicker(w.tick)
	defer t.Stop()
	batch := make([]Due[K], 0, MaxBatch)
	for {
		select {
		case <-w.stop:
			return
		case <-t.C:
		}
		for to := uint64(time.Since(w.start) / w.tick); ; {
			tick, ok := w.next(to)
			if !ok {
				break
			}
			if !w.sweep(tick, batch) {
				return
			}
		}
	}
}

// next moves on to the next tick that is to be swept. What is put into the wheel from then on is due later.
func (w *Wheel[K]) next(to uint64) (tick uint64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now >= to {
		return 0, false
	}
	w.now++
	if to-w.now >= slots { // the process was stopped for longer than a round takes
		w.now = to - slots + 1
	}
	return w.now, true
}

// sweep tells of what is due in a tick. It returns false if the wheel was closed meanwhile.
func (w *Wheel[K]) sweep(tick uint64, batch []Due[K]) bool {
	for at := everything; at > 0; {
		batch, at = w.collect(tick, at, batch[:0])
		if len(batch) > 0 {
			w.call(batch)
		}
		select {
		case <-w.stop:
			return false
		default:
		}
	}
	return true
}

const (
	everything = int(^uint(0) >> 1)
	// maxLooked is how many entries are looked at in one go under the lock.
	maxLooked = 4 * MaxBatch
)

// collect looks at a part of a tick's slot, below a place, and returns where to go on. It goes from the last place to the
// first: between two parts others may only move an entry down that was looked at, or append one that is not due.
func (w *Wheel[K]) collect(tick uint64, below int, batch []Due[K]) ([]Due[K], int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slot := &w.slots[tick%slots]
	at, left := min(below, len(*slot)), maxLooked
	for ; at > 0 && left > 0 && len(batch) < MaxBatch; left-- {
		at--
		e := (*slot)[at]
		if e.due > tick {
			continue // in a later round
		}
		w.take(e.key)
		if !e.ask {
			batch = append(batch, Due[K]{Key: e.key, Event: End})
			continue
		}
		batch = append(batch, Due[K]{Key: e.key, Event: Ask, Left: max(0, e.end-time.Since(w.start))})
		e.ask, e.due = false, w.after(e.end)
		w.put(e)
	}
	return batch, at
}
