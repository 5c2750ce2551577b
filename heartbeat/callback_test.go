package heartbeat_test

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
)

// hooked is a peer whose callbacks are the test's.
type hooked struct {
	entry  heartbeat.Entry
	ping   func()
	expire func() bool
}

func (h *hooked) Heartbeat() *heartbeat.Entry { return &h.entry }

func (h *hooked) Ping() {
	if h.ping != nil {
		h.ping()
	}
}

func (h *hooked) Expire() bool { return h.expire == nil || h.expire() }

func start(t *testing.T, peers ...heartbeat.Peer) *heartbeat.Monitor {
	t.Helper()
	m, err := heartbeat.NewMonitor(heartbeat.Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		if err := m.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestAddAndRemove(t *testing.T) {
	p, q := new(hooked), new(hooked)
	m, other := start(t, p), start(t, q)
	defer other.Stop()
	if err := m.Add(p); !errors.Is(err, heartbeat.ErrAdded) {
		t.Errorf("Add again = %v", err)
	}
	if err := other.Add(p); !errors.Is(err, heartbeat.ErrAdded) {
		t.Errorf("Add to another monitor = %v", err)
	}
	if m.Remove(q) || other.Remove(p) {
		t.Error("removed from the wrong monitor")
	}
	if m.Len() != 1 || other.Len() != 1 {
		t.Errorf("Len = %d, %d", m.Len(), other.Len())
	}
	if !m.Remove(p) || m.Remove(p) || m.Len() != 0 {
		t.Error("not removed exactly once")
	}
	m.Heard(p.Heartbeat()) // harmless
	if err := other.Add(p); err != nil || other.Len() != 2 {
		t.Errorf("Add after Remove = %v", err)
	}
	m.Stop()
	m.Stop()
	if err := m.Add(new(hooked)); !errors.Is(err, heartbeat.ErrClosed) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Add after Stop = %v", err)
	}
}

func TestRemoveAfterStop(t *testing.T) {
	p := new(hooked)
	m := start(t, p)
	m.Stop()
	if !m.Remove(p) || m.Len() != 0 {
		t.Error("not removed")
	}
}

func TestDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := heartbeat.NewMonitor(heartbeat.Disabled())
		if err != nil {
			t.Fatal(err)
		}
		p := &hooked{ping: func() { t.Error("pinged") }, expire: func() bool { t.Error("expired"); return true }}
		if err := m.Add(p); err != nil || m.Len() != 1 {
			t.Errorf("Add = %v, Len = %d", err, m.Len())
		}
		m.Heard(p.Heartbeat())
		time.Sleep(24 * time.Hour)
		if !m.Remove(p) || m.Len() != 0 {
			t.Error("not removed")
		}
		m.Stop()
	})
}

// Expire may say that the peer is alive: it starts from there.
func TestRevive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings, expires []time.Time
		p := &hooked{ping: func() { pings = append(pings, time.Now()) }}
		p.expire = func() bool {
			expires = append(expires, time.Now())
			return len(expires) == 3
		}
		m := start(t, p)
		defer m.Stop()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if len(pings) != 3 || len(expires) != 3 || m.Len() != 0 {
			t.Fatalf("%d pings, %d expires, %d peers left", len(pings), len(expires), m.Len())
		}
		for i := range 2 {
			if d := pings[i+1].Sub(expires[i]); d < 25*time.Second || d > 25200*time.Millisecond {
				t.Errorf("pinged %v after it was found alive", d)
			}
		}
		if st := m.Stats(); st.Revived != 2 || st.Expired != 1 || st.Pings != 3 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestRemoveFromCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m *heartbeat.Monitor
		var inPing, inExpire, again, never hooked
		calls := 0
		inPing.ping = func() { calls++; m.Remove(&inPing) }
		inPing.expire = func() bool { t.Error("expired after Remove"); return true }
		inExpire.expire = func() bool { calls++; m.Remove(&inExpire); return true }
		// Gone and back within its own Expire: the answer was about the earlier life.
		again.expire = func() bool {
			calls++
			again.expire = func() bool { calls++; return true }
			m.Remove(&again)
			if err := m.Add(&again); err != nil {
				t.Error(err)
			}
			return true
		}
		never.ping = func() { t.Error("pinged after Remove") }
		m = start(t, &inPing, &inExpire, &again, &never)
		defer m.Stop()
		m.Remove(&never)
		time.Sleep(80 * time.Second)
		synctest.Wait()
		if calls != 4 || m.Len() != 0 {
			t.Errorf("%d calls, %d peers; want 4 and none", calls, m.Len())
		}
	})
}

// Peers of one chunk are called one after the other. Those that the first call removes are not called.
func TestRemoveOfOthersFromCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := heartbeat.NewMonitor(heartbeat.Policy{Interval: 10 * time.Millisecond, Timeout: 10 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Stop()
		peers := make([]*hooked, 2000)
		removed := make([]bool, len(peers))
		for i := range peers {
			check := func() {
				if removed[i] {
					t.Error("called after Remove")
				}
				other := (i + 1) % len(peers)
				removed[other] = m.Remove(peers[other]) || removed[other]
			}
			peers[i] = &hooked{ping: check, expire: func() bool { check(); return true }}
		}
		for _, p := range peers {
			if err := m.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if m.Len() != 0 {
			t.Errorf("%d peers left", m.Len())
		}
	})
}

// Stop waits for the callback under way, and no other follows.
func TestStopDuringCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, done atomic.Int32
		peers := make([]heartbeat.Peer, 5000)
		for i := range peers {
			peers[i] = &hooked{ping: func() {
				if calls.Add(1) == 1 {
					time.Sleep(time.Minute)
				}
				done.Add(1)
			}}
		}
		m := start(t, peers...)
		time.Sleep(time.Second)
		if calls.Load() != 1 {
			t.Fatalf("%d calls have begun", calls.Load())
		}
		began := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(m.Stop)
		}
		wg.Wait()
		if done.Load() != 1 {
			t.Errorf("Stop has returned, %d calls are done", done.Load())
		}
		if d := time.Since(began); d < 50*time.Second {
			t.Errorf("Stop took %v", d)
		}
		time.Sleep(time.Hour)
		if calls.Load() != 1 {
			t.Errorf("%d calls", calls.Load())
		}
	})
}

// While one callback blocks nothing else does, and the time it took does not count.
func TestBlockedCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t)
		defer m.Stop()
		var blocked atomic.Bool
		blocker := &hooked{expire: func() bool { return false }}
		blocker.ping = func() {
			blocked.Store(true)
			time.Sleep(time.Minute)
		}
		peers := []heartbeat.Peer{blocker}
		for range 1000 {
			p := new(hooked)
			// The answer comes after five seconds, in which the blocked monitor must not count them out.
			p.ping = func() { time.AfterFunc(5*time.Second, func() { m.Heard(&p.entry) }) }
			p.expire = func() bool { t.Error("expired"); return true }
			peers = append(peers, p)
		}
		for _, p := range peers {
			if err := m.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		for !blocked.Load() {
			time.Sleep(time.Second)
		}
		began := time.Now()
		p := new(hooked)
		if err := m.Add(p); err != nil || m.Len() != 1002 || !m.Remove(p) {
			t.Error("blocked")
		}
		if time.Since(began) != 0 {
			t.Errorf("took %v", time.Since(began))
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if lost := m.Stats().Lost; lost < 55*time.Second {
			t.Errorf("lost %v", lost)
		}
	})
}
