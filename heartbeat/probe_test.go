package heartbeat_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
)

// probed is a peer that answers pings or does not.
type probed struct {
	entry   heartbeat.Entry
	m       *heartbeat.Monitor
	answers bool
	pings   atomic.Int32
	expired time.Time
}

func (p *probed) Heartbeat() *heartbeat.Entry { return &p.entry }
func (p *probed) Expire() bool                { p.expired = time.Now(); return true }

func (p *probed) Ping() {
	p.pings.Add(1)
	if p.answers {
		p.m.Heard(&p.entry)
	}
}

// A probe finds out within the timeout that a peer is gone, costs one that lives nothing, and is not repeated meanwhile.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := heartbeat.Policy{Interval: time.Hour, Timeout: 10 * time.Second}
		var m *heartbeat.Monitor
		var gone, lives, stranger *probed
		for try := 0; ; try++ { // until none of the first pings, which come at random times within the interval, comes too soon
			if try == 100 {
				t.Fatal("pinged, though it was heard in the same tick")
			}
			var err error
			if m, err = heartbeat.NewMonitor(policy); err != nil {
				t.Fatal(err)
			}
			gone, lives, stranger = &probed{m: m}, &probed{m: m, answers: true}, &probed{m: m}
			for _, p := range []*probed{gone, lives} {
				if err := m.Add(p); err != nil {
					t.Fatal(err)
				}
				m.Probe(p) // was heard just now
			}
			time.Sleep(policy.Timeout)
			synctest.Wait()
			if gone.pings.Load()+lives.pings.Load() == 0 {
				break
			}
			m.Stop()
		}
		defer m.Stop()
		begin := time.Now()
		for range 100 {
			for _, p := range []*probed{gone, lives, stranger} {
				m.Probe(p)
			}
		}
		if gone, lives, stranger := gone.pings.Load(), lives.pings.Load(), stranger.pings.Load(); gone != 1 || lives != 1 || stranger != 0 {
			t.Errorf("%d, %d and %d pings", gone, lives, stranger)
		}
		time.Sleep(2 * policy.Timeout)
		synctest.Wait()
		if d := gone.expired.Sub(begin); gone.expired.IsZero() || d < policy.Timeout {
			t.Errorf("expired after %v", d)
		}
		if !lives.expired.IsZero() || m.Len() != 1 {
			t.Errorf("a peer that answered has expired; %d are left", m.Len())
		}
	})
}
