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

// Monitor pings peers that are silent and expires those that do not answer. Its peers may be of several types.
type Monitor = MonitorOf[Peer]

// MonitorOf is a Monitor of peers of one type. If they are pointers, each takes eight bytes less than in a Monitor. Several
// goroutines may call its methods. A peer's callbacks may call all of them except Stop.
type MonitorOf[P Peer] struct {
	interval uint32 // ticks from the last heard to the ping
	timeout  uint32 // ticks from the ping to the deadline
	slack    uint32 // ticks that may be caught up; more is lost time
	tick     time.Duration

	// now is read with every Heard: it has a cache line for itself.
	_   [64]byte
	now atomic.Uint32
	_   [60]byte

	mu     sync.Mutex
	wheel  wheel[P]
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

// NewMonitor starts a monitor and its goroutine, which Stop ends. With the policy Disabled there is no goroutine. The
// error is that of [Policy.Validate].
func NewMonitor(p Policy) (*Monitor, error) { return NewMonitorOf[Peer](p) }

// NewMonitorOf is NewMonitor for peers of one type.
func NewMonitorOf[P Peer](p Policy) (*MonitorOf[P], error) {
	m, err := newMonitor[P](p)
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

func newMonitor[P Peer](p Policy) (*MonitorOf[P], error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	start := time.Now()
	m := &MonitorOf[P]{
		elapsed: func() time.Duration { return time.Since(start) }, // monotonic: the wall clock may jump
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	if !p.Enabled() {
		m.interval, m.wheel = 1, newWheel[P](2)
		return m, nil
	}
	m.tick = p.tick()
	// One tick more, for what happened late in a tick is only known to have happened in it.
	m.interval = uint32(ticks(p.Interval, m.tick)) + 1
	m.timeout = uint32(ticks(p.Timeout, m.tick)) + 1
	m.slack = max(2, m.timeout/4)
	m.wheel = newWheel[P](m.interval + m.slack + 1)
	return m, nil
}

// Add starts watching p, which counts as heard just now. Its first ping comes at a random time within the interval. The
// error is ErrClosed or ErrAdded.
func (m *MonitorOf[P]) Add(p P) error {
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

// Remove stops watching p and reports whether it was watched. It is O(1) and waits for no callback, so a callback may
// call it. After Remove has returned, the monitor calls no callback of p. A callback that was under way when Remove was
// called may still run.
func (m *MonitorOf[P]) Remove(p P) bool {
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

// Probe pings p now, if it is watched and no ping is under way. The peer then has as long to answer as after any other
// ping. Probe does not ping a peer that was heard in the current tick. It calls Ping in the calling goroutine.
func (m *MonitorOf[P]) Probe(p P) {
	if m.probes(p) {
		m.stats.pings.Add(1)
		p.Ping()
	}
}

func (m *MonitorOf[P]) probes(p P) bool {
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

// Heard says that something was read from the peer whose Entry is e. It costs two loads, and once a tick a store. e may
// be in no monitor.
func (m *MonitorOf[P]) Heard(e *Entry) { e.hear(m.now.Load()) }

// Len returns how many peers are watched.
func (m *MonitorOf[P]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peers
}

// Stop ends the monitor's goroutine and returns when it is gone. No callback runs after that. Stop waits for at most one
// callback, and must not be called from within one. Peers stay in the monitor and may be removed. A later call only waits,
// in the same way.
func (m *MonitorOf[P]) Stop() {
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
