package heartbeat

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrClosed is returned after Stop. It matches net.ErrClosed.
	ErrClosed = fmt.Errorf("heartbeat: monitor: %w", net.ErrClosed)
	// ErrAdded is returned for a peer that is in a monitor already.
	ErrAdded = errors.New("heartbeat: peer already added")
)

// Monitor pings peers that are silent and expires those that do not answer. Its methods may be
// called from several goroutines, and all but Stop from within a peer's callbacks too.
type Monitor struct {
	interval uint32 // ticks from the last heard to the ping
	timeout  uint32 // ticks from the ping to the deadline
	slack    uint32 // ticks that may be caught up; more is lost time
	tick     time.Duration

	// now is read with every Heard: it has a cache line for itself.
	_   [64]byte
	now atomic.Uint32
	_   [60]byte

	mu     sync.Mutex
	wheel  wheel
	peers  int
	closed bool

	// Of the monitor's goroutine alone.
	elapsed func() time.Duration // since the monitor was made
	clock   time.Duration        // when the tick now began
	swept   uint32               // the last tick whose slot was swept

	stats counters

	closing atomic.Bool
	stop    chan struct{}
	done    chan struct{}
}

// NewMonitor starts a monitor, and with it one goroutine that Stop ends. Under a Disabled policy there
// is no goroutine. The error is that of [Policy.Validate].
func NewMonitor(p Policy) (*Monitor, error) {
	m, err := newMonitor(p)
	if err != nil {
		return nil, err
	}
	if p.Enabled() {
		go m.run()
	} else {
		close(m.done)
	}
	return m, nil
}

func newMonitor(p Policy) (*Monitor, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	start := time.Now()
	m := &Monitor{
		elapsed: func() time.Duration { return time.Since(start) }, // monotonic: the wall clock may jump
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	if !p.Enabled() {
		m.interval, m.wheel = 1, newWheel(2)
		return m, nil
	}
	m.tick = p.tick()
	// One tick more, for what happened late in a tick is only known to have happened in it.
	m.interval = uint32(ticks(p.Interval, m.tick)) + 1
	m.timeout = uint32(ticks(p.Timeout, m.tick)) + 1
	m.slack = max(2, m.timeout/4)
	m.wheel = newWheel(m.interval + m.slack + 1)
	return m, nil
}

// Add begins to watch p, which counts as heard just now. Its first ping comes at a random time within
// the interval. The error is ErrClosed or ErrAdded.
func (m *Monitor) Add(p Peer) error {
	e := p.Heartbeat()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	// Two monitors may be given the same peer at the same time.
	if !e.place.CompareAndSwap(uint32(absent), uint32(idle)) {
		return ErrAdded
	}
	now := m.now.Load()
	e.heard.Store(now)
	e.mark = now
	m.wheel.put(p, e, m.wheel.at(now+1+rand.Uint32N(m.interval)), idle)
	m.peers++
	return nil
}

// Remove stops watching p and reports whether it was watched. It is O(1) and waits for no callback,
// so that a callback may call it. After it has returned no callback of p is made, except for one
// that was under way when Remove was called: it may still run.
func (m *Monitor) Remove(p Peer) bool {
	e := p.Heartbeat()
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.state() == absent || !m.wheel.holds(e) { // or in another monitor
		return false
	}
	m.wheel.take(e)
	e.set(0, absent)
	m.peers--
	return true
}

// Probe pings p now, if it is watched and no ping is under way, and waits for the answer as after any other ping. A peer that
// was heard within the same tick is left alone. It calls Ping, and may be called from several goroutines.
func (m *Monitor) Probe(p Peer) {
	if m.probes(p) {
		m.stats.pings.Add(1)
		p.Ping()
	}
}

func (m *Monitor) probes(p Peer) bool {
	e := p.Heartbeat()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || e.state() != idle || !m.wheel.holds(e) {
		return false
	}
	now, heard := m.now.Load(), e.heard.Load()
	if heard == now { // an answer in this tick would not be told from what was heard before
		return false
	}
	m.wheel.take(e)
	e.mark = heard
	m.wheel.put(p, e, m.wheel.at(now+m.timeout), pinged)
	return true
}

// Heard says that something was read from the peer whose Entry is e. It costs two loads, and once a tick
// a store. Entries in no monitor may be given too.
func (m *Monitor) Heard(e *Entry) { e.hear(m.now.Load()) }

// Len returns how many peers are watched.
func (m *Monitor) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peers
}

// Stop ends the monitor's goroutine and returns when it is gone: no callback runs after that. It
// waits for one callback at most, and must not be called from within one. Peers stay in the monitor
// and may be removed. Later calls do nothing but wait in the same way.
func (m *Monitor) Stop() {
	m.mu.Lock()
	first := !m.closed
	m.closed = true
	m.mu.Unlock()
	if first {
		m.closing.Store(true)
		close(m.stop)
	}
	<-m.done
}
