package heartbeat

import (
	"math"
	"testing"
	"time"
)

// rig is a monitor without a goroutine, on a clock that the test moves.
type rig struct {
	*Monitor
	t   testing.TB
	at  time.Duration
	all []*counted
}

type counted struct {
	entry          Entry
	pings, expires int
	expire         func() bool
	ping           func()
}

func (c *counted) Heartbeat() *Entry { return &c.entry }

func (c *counted) Ping() {
	c.pings++
	if c.ping != nil {
		c.ping()
	}
}

func (c *counted) Expire() bool {
	c.expires++
	return c.expire == nil || c.expire()
}

func newRig(t testing.TB, p Policy, peers int) *rig {
	t.Helper()
	m, err := newMonitor[Peer](p)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Monitor: m, t: t}
	m.elapsed = func() time.Duration { return r.at }
	r.add(peers)
	return r
}

func (r *rig) add(n int) {
	for range n {
		c := new(counted)
		r.all = append(r.all, c)
		if err := r.Add(c); err != nil {
			r.t.Fatal(err)
		}
	}
}

// pass lets d go by in one jump.
func (r *rig) pass(d time.Duration) {
	r.at += d
	r.turn()
	r.catchUp()
}

// run lets n ticks go by one after the other.
func (r *rig) run(n int) {
	for range n {
		r.pass(r.tick)
	}
}

func (r *rig) hearAll() {
	for _, p := range r.all {
		r.Heard(&p.entry)
	}
}

func (r *rig) sum() (pings, expires int) {
	for _, p := range r.all {
		pings += p.pings
		expires += p.expires
	}
	return pings, expires
}

// check fails unless every peer is in the slot that its entry says, and no slot keeps what is gone.
func (r *rig) check() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for at := range r.wheel.slots {
		s := &r.wheel.slots[at]
		if want := (int(s.n) + chunkLen - 1) / chunkLen; len(s.chunks) != want {
			r.t.Fatalf("slot %d: %d chunks for %d peers", at, len(s.chunks), s.n)
		}
		for i := range uint32(len(s.chunks)) * chunkLen {
			p := *s.peer(i)
			if i >= s.n {
				if p != nil {
					r.t.Fatalf("slot %d keeps a peer beyond its end", at)
				}
				continue
			}
			if e := p.Heartbeat(); e.slot() != uint32(at) || e.index != i || e.state() == absent {
				r.t.Fatalf("peer at %d/%d says %d/%d, state %d", at, i, e.slot(), e.index, e.state())
			}
			n++
		}
	}
	for _, c := range r.wheel.spare {
		if *c != (chunk[Peer]{}) {
			r.t.Fatal("a spare chunk keeps a peer")
		}
	}
	if n != r.peers {
		r.t.Fatalf("%d peers in slots, counted %d", n, r.peers)
	}
}

// A process that was stopped for a minute finds all deadlines shifted by it.
func TestLostTime(t *testing.T) {
	r := newRig(t, Default(), 5000)
	r.run(90)
	before, expires := r.sum()
	if before == 0 || expires > 0 {
		t.Fatal("nobody waits for an answer")
	}
	r.pass(time.Minute)
	if pings, expires := r.sum(); expires > 0 || pings > before+200 {
		t.Fatalf("%d expired, and %d pings at once", expires, pings-before)
	}
	if lost := r.Stats().Lost; lost != time.Minute-r.tick {
		t.Errorf("lost %v", lost)
	}
	// Half of them answered meanwhile, and it is read now. The others are really gone.
	for _, p := range r.all[:2500] {
		p.ping = func() { r.Heard(&p.entry) }
		if p.pings > 0 {
			r.Heard(&p.entry)
		}
	}
	r.run(int(Default().MaxSilence()/r.tick) - 90)
	for i, p := range r.all {
		if alive := i < 2500; alive == (p.expires > 0) {
			t.Fatalf("peer %d: %d expires", i, p.expires)
		}
	}
	r.check()
}

// Being late by less than that is caught up: the bound holds, and deadlines are not shortened.
func TestCatchUp(t *testing.T) {
	r := newRig(t, Default(), 5000)
	late := time.Duration(r.slack) * r.tick
	for _, p := range r.all {
		var pinged time.Duration
		p.ping = func() { pinged = r.at }
		p.expire = func() bool {
			if r.at > Default().MaxSilence()+2*late { // at the ping and at the deadline
				t.Errorf("expired after %v", r.at)
			}
			if r.at-pinged < Default().Timeout {
				t.Errorf("expired %v after the ping", r.at-pinged)
			}
			return true
		}
	}
	for r.at < Default().MaxSilence()+2*late {
		r.pass(late)
		r.check()
	}
	if r.Len() > 0 || r.Stats().Lost > 0 {
		t.Errorf("stats %+v", r.Stats())
	}
}

// Pings that take long do not shorten the deadlines of their peers.
func TestSlowPings(t *testing.T) {
	r := newRig(t, Default(), 10*chunkLen)
	ping := r.tick / 20
	for _, p := range r.all {
		r.wheel.take(&p.entry)
		r.wheel.put(p, &p.entry, r.wheel.at(1), idle)
		var pinged time.Duration
		p.ping = func() { r.at += ping; pinged = r.at }
		p.expire = func() bool {
			// Those of one chunk share one reading of the clock.
			if d := r.at - pinged; d < Default().Timeout-chunkLen*ping {
				t.Errorf("expired %v after the ping", d)
			}
			return true
		}
	}
	r.run(200)
	if st := r.Stats(); st.Peers > 0 || st.Lost > 0 {
		t.Errorf("stats %+v", st)
	}
}

// Peers that are all heard in the same tick must not all be pinged in the same tick, nor later than
// promised, nor much too early.
func TestCrowdIsSpread(t *testing.T) {
	const n = 50_000
	r := newRig(t, Default(), n)
	heard := make([]time.Duration, n)
	for i, p := range r.all {
		p.ping = func() {
			if silent := r.at - heard[i]; p.pings > 1 && (silent < r.tick*time.Duration(r.interval/2) || silent > r.tick*time.Duration(r.interval)) {
				t.Errorf("pinged %v after it was heard", silent)
			}
			heard[i] = r.at
			r.Heard(&p.entry)
		}
	}
	r.run(100)
	r.hearAll()
	for i := range heard {
		heard[i] = r.at
		r.all[i].pings = 1
	}
	for tick := range 1000 {
		before := r.Stats().Pings
		r.run(1)
		if pings := r.Stats().Pings - before; pings > 8*n/250 {
			t.Fatalf("tick %d: %d of %d peers pinged", tick, pings, n)
		}
	}
	if r.Stats().Spread == 0 || r.Stats().Expired > 0 {
		t.Errorf("stats %+v", r.Stats())
	}
	r.check()
}

// Ticks are counted in 32 bits and wrap around.
func TestTicksWrapAround(t *testing.T) {
	r := newRig(t, Default(), 0)
	r.now.Store(math.MaxUint32 - 150)
	r.swept = math.MaxUint32 - 150
	r.add(2000)
	for _, p := range r.all[:1000] {
		p.ping = func() { r.Heard(&p.entry) }
	}
	r.run(600)
	for i, p := range r.all {
		if alive := i < 1000; alive == (p.expires > 0) || alive && p.pings < 2 || p.pings > 3 {
			t.Fatalf("peer %d: %d pings, %d expires", i, p.pings, p.expires)
		}
	}
	r.check()
}

// A peer heard between its deadline and the call of Expire is not expired.
func TestHeardAtTheLastMoment(t *testing.T) {
	r := newRig(t, Default(), 2)
	for _, p := range r.all { // due together, and called one after the other
		r.wheel.take(&p.entry)
		r.wheel.put(p, &p.entry, r.wheel.at(1), idle)
	}
	r.all[0].expire = func() bool {
		r.Heard(&r.all[1].entry)
		return true
	}
	r.run(int(r.timeout) + 1)
	if pings, expires := r.sum(); pings != 2 || expires != 1 || r.all[1].expires != 0 {
		t.Errorf("%d pings, %d expires", pings, expires)
	}
	if r.Len() != 1 || r.all[1].entry.state() != idle {
		t.Errorf("%d peers, state %d", r.Len(), r.all[1].entry.state())
	}
	r.check()
}

// A monitor that is always late, by as much as it catches up, pings nobody within the interval.
func TestLatePingsAreNotEarly(t *testing.T) {
	const peers = 60 // too few for a crowd, which is spread over earlier slots
	for _, p := range []Policy{
		Default(),
		{Interval: 10 * time.Second, Timeout: 10 * time.Second, Tick: time.Second},
	} {
		r := newRig(t, p, peers)
		for i, c := range r.all {
			var heard time.Duration
			c.ping = func() {
				if silent := r.at - heard; c.pings > 1 && silent < p.Interval {
					t.Errorf("pinged %v after it was heard", silent)
				}
				if i%2 == 0 {
					heard = r.at
					r.Heard(&c.entry)
				}
			}
			c.expire = func() bool {
				heard = r.at
				return false
			}
		}
		for range 100 {
			r.pass(time.Duration(r.slack) * r.tick)
			r.check()
		}
		if st := r.Stats(); st.Expired > 0 || st.Revived == 0 || st.Spread > 0 || st.Lost > 0 || st.Peers != peers {
			t.Errorf("stats %+v", st)
		}
	}
}

// An entry's slot may be one that another monitor does not have.
func TestRemoveFromSmallerMonitor(t *testing.T) {
	large, small := newRig(t, Default(), 1000), newRig(t, Disabled(), 1)
	for _, p := range large.all {
		if small.Remove(p) {
			t.Fatal("removed from the wrong monitor")
		}
	}
	large.check()
	small.check()
}
