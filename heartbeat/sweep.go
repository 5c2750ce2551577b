package heartbeat

import (
	"math/rand/v2"
	"time"
)

// run is the monitor's goroutine.
func (m *MonitorOf[P]) run() {
	defer close(m.done)
	t := time.NewTimer(m.tick)
	defer t.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-t.C:
		}
		m.turn()
		m.catchUp()
		t.Reset(m.clock + m.tick - m.elapsed())
	}
}

// turn moves now on to what the clock says. Ticks that cannot be caught up do not count, and with
// that all deadlines are shifted: after a stopped process goes on, peers have answers waiting
// in the kernel, and its readers need time to read them.
func (m *MonitorOf[P]) turn() {
	due := (m.elapsed() - m.clock) / m.tick
	if due <= 0 {
		return
	}
	m.clock += due * m.tick
	now := m.now.Load()
	if room := time.Duration(m.slack - (now - m.swept)); due > room {
		counted := min(1, room)
		m.stats.lost.Add(int64((due - counted) * m.tick))
		due = counted
	}
	m.now.Store(now + uint32(due))
}

// catchUp sweeps every slot up to now.
func (m *MonitorOf[P]) catchUp() {
	for m.swept != m.now.Load() && !m.closing.Load() {
		m.sweep(m.wheel.at(m.swept + 1))
		m.swept++
	}
}

// sweep looks after the peers of one slot, a chunk at a time: decide under the lock, call without it.
func (m *MonitorOf[P]) sweep(slot uint32) {
	var b batch[P]
	for m.collect(slot, &b) {
		m.call(&b)
		// Pings take time; deadlines count from when they are sent.
		m.turn()
	}
}

// batch is the callbacks of one chunk.
type batch[P Peer] struct {
	n    int
	list [chunkLen]callback[P]
}

type callback[P Peer] struct {
	peer  P
	entry *Entry
	state state
	mark  uint32
}

// collect empties one chunk of the slot and reports whether there was one.
func (m *MonitorOf[P]) collect(slot uint32, b *batch[P]) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	var peers chunk[P]
	n := m.wheel.pop(slot, &peers)
	now := m.now.Load()
	b.n = 0
	for _, p := range peers[:n] {
		e := p.Heartbeat()
		heard, st := e.heard.Load(), pinged
		wait := heard + m.interval - now
		switch {
		case heard != e.mark && int32(wait) > 0:
			m.reschedule(p, e, heard, wait)
			continue
		case heard == e.mark && e.state() == pinged:
			st = expiring
			m.wheel.put(p, e, m.wheel.limbo, st)
		default:
			e.mark = heard
			m.wheel.put(p, e, m.wheel.at(now+m.timeout), st)
		}
		b.list[b.n] = callback[P]{p, e, st, heard}
		b.n++
	}
	return n > 0
}

// reschedule puts a peer that was heard in the slot of its next ping, so many ticks from now.
func (m *MonitorOf[P]) reschedule(p P, e *Entry, heard, wait uint32) {
	now := m.now.Load()
	// Peers that all answer the same message would all be pinged in the same tick, ever again. The
	// crowd is spread over earlier slots, never later ones.
	if m.wheel.slots[m.wheel.at(now+wait)].n >= m.crowd() {
		wait -= rand.Uint32N(wait/2 + 1)
		m.stats.spread.Add(1)
	}
	e.mark = heard
	m.wheel.put(p, e, m.wheel.at(now+wait), idle)
}

// crowd is how many peers make a slot crowded: four times its share, and some.
func (m *MonitorOf[P]) crowd() uint32 { return 4*uint32(m.peers)/m.interval + 64 }

// call makes the callbacks of peers that were not removed meanwhile.
func (m *MonitorOf[P]) call(b *batch[P]) {
	for i := range b.list[:b.n] {
		c := &b.list[i]
		switch {
		case m.closing.Load():
			return
		case c.entry.state() != c.state:
		case c.state == pinged:
			m.stats.pings.Add(1)
			c.peer.Ping()
		default:
			m.expire(c)
		}
	}
}

func (m *MonitorOf[P]) expire(c *callback[P]) {
	gone := false
	if c.entry.heard.Load() == c.mark { // not heard at the last moment either
		if gone = c.peer.Expire(); gone {
			m.stats.expired.Add(1)
		} else {
			m.stats.revived.Add(1)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := c.entry
	if e.state() != expiring || !m.wheel.holds(e) {
		return // removed by Expire, or while it ran
	}
	m.wheel.take(e)
	if gone {
		e.set(0, absent)
		m.peers--
		return
	}
	now := m.now.Load()
	e.hear(now)
	m.reschedule(c.peer, e, now, m.interval)
}
