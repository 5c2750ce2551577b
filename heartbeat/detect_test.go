package heartbeat_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
)

// peer answers pings until it vanishes, and checks what the monitor promises.
type peer struct {
	entry  heartbeat.Entry
	t      *testing.T
	m      *heartbeat.Monitor
	policy heartbeat.Policy
	vanish time.Time // zero: never
	rtt    time.Duration

	mu      sync.Mutex
	heard   time.Time
	first   time.Time // the first Ping
	pinged  time.Time // the last Ping
	pings   int
	expired bool
}

func (p *peer) Heartbeat() *heartbeat.Entry { return &p.entry }

func (p *peer) hear() {
	if !p.vanish.IsZero() && !time.Now().Before(p.vanish) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = time.Now()
	p.m.Heard(&p.entry)
}

func (p *peer) Ping() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pings++; p.pings == 1 {
		p.first = time.Now()
	}
	p.pinged = time.Now()
	if silent := time.Since(p.heard); p.pings > 1 && silent < p.policy.Interval {
		p.t.Errorf("pinged %v after it was heard", silent)
	}
	time.AfterFunc(p.rtt, p.hear)
}

func (p *peer) Expire() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.vanish.IsZero():
		p.t.Error("expired, but alive")
	case p.expired:
		p.t.Error("expired twice")
	}
	p.expired = true
	if silent := time.Since(p.heard); silent > p.policy.MaxSilence() {
		p.t.Errorf("expired %v after it was heard, bound is %v", silent, p.policy.MaxSilence())
	}
	if d := time.Since(p.pinged); d < p.policy.Timeout {
		p.t.Errorf("expired %v after the ping", d)
	}
	return true
}

// 10,000 peers, of which some vanish at any time: all of those are found in time, and none else.
func TestDetection(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name   string
		policy heartbeat.Policy
	}{
		{"default", heartbeat.Default()},
		{"odd", heartbeat.Policy{Interval: 7*s + 1, Timeout: 3*s - 1, Tick: 700 * time.Millisecond}},
		{"longest timeout", heartbeat.Policy{Interval: 9 * s, Timeout: 9 * s}},
		{"coarse", heartbeat.Policy{Interval: 20 * s, Timeout: 5 * s, Tick: 5 * s}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := heartbeat.NewMonitor(tt.policy)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Stop()
				peers, vanished := make([]*peer, 10_000), 0
				for i := range peers {
					time.Sleep(rand.N(2 * time.Millisecond))
					// The bound is for what is heard; an answer as late as the timeout is in time.
					p := &peer{t: t, m: m, policy: tt.policy, heard: time.Now(), rtt: rand.N(tt.policy.Timeout)}
					if i%2 == 0 {
						p.vanish = p.heard.Add(rand.N(60 * s))
						vanished++
					}
					peers[i] = p
					if err := m.Add(p); err != nil {
						t.Fatal(err)
					}
					if i%4 > 1 { // it also has something to say of itself, at times
						time.AfterFunc(rand.N(90*s), p.hear)
					}
				}
				time.Sleep(70*s + 2*tt.policy.MaxSilence())
				synctest.Wait()
				for _, p := range peers {
					if p.expired == p.vanish.IsZero() {
						t.Fatalf("expired: %v, vanished: %v", p.expired, !p.vanish.IsZero())
					}
				}
				if got, want := m.Len(), len(peers)-vanished; got != want {
					t.Errorf("%d peers left, want %d", got, want)
				}
				if st := m.Stats(); st.Expired != int64(vanished) || st.Peers != m.Len() || st.Lost != 0 || st.Revived != 0 {
					t.Errorf("%d vanished, stats %+v", vanished, st)
				}
			})
		})
	}
}

// Peers added together are pinged at times that are uniform over the interval.
func TestFirstPhaseIsRandom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, bins = 10_000, 25
		policy := heartbeat.Default()
		m, err := heartbeat.NewMonitor(policy)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Stop()
		start := time.Now()
		peers := make([]*peer, n)
		for i := range peers {
			peers[i] = &peer{t: t, m: m, policy: policy, heard: start}
			if err := m.Add(peers[i]); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(policy.Interval + policy.Interval/100*2)
		synctest.Wait()
		var count [bins]float64
		for _, p := range peers {
			if p.pings == 0 {
				t.Fatal("no ping in an interval")
			}
			count[min(bins-1, int(p.first.Sub(start)*bins/policy.Interval))]++
		}
		var chi2 float64
		for _, c := range count {
			chi2 += (c - n/bins) * (c - n/bins) / (n / bins)
		}
		// 24 degrees of freedom: above 90 once in 10^9 runs.
		if chi2 > 90 {
			t.Errorf("chi-square %.0f: %v", chi2, count)
		}
	})
}

// Who is heard all the time is not pinged, the first ping aside.
func TestNoPingForTheTalkative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := heartbeat.Default()
		m, err := heartbeat.NewMonitor(policy)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Stop()
		peers := make([]*peer, 1000)
		for i := range peers {
			peers[i] = &peer{t: t, m: m, policy: policy, heard: time.Now()}
			if err := m.Add(peers[i]); err != nil {
				t.Fatal(err)
			}
		}
		for range 100 {
			for _, p := range peers {
				p.hear()
				time.Sleep(24 * time.Millisecond) // 24 s for all
			}
		}
		synctest.Wait()
		st := m.Stats()
		if st.Pings > int64(len(peers)) || st.Spread > 0 || st.Expired > 0 {
			t.Errorf("stats %+v", st)
		}
	})
}
