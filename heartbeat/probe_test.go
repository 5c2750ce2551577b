package heartbeat_test

import (
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
	pings   int
	expired time.Time
}

func (p *probed) Heartbeat() *heartbeat.Entry { return &p.entry }
func (p *probed) Expire() bool                { p.expired = time.Now(); return true }

func (p *probed) Ping() {
	p.pings++
	if p.answers {
		p.m.Heard(&p.entry)
	}
}

// A probe finds out within the timeout that a peer is gone, costs one that lives nothing, and is not repeated meanwhile.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := heartbeat.Policy{Interval: time.Hour, Timeout: 10 * time.Second}
		m, err := heartbeat.NewMonitor(policy)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Stop()
		gone, lives, stranger := &probed{m: m}, &probed{m: m, answers: true}, &probed{m: m}
		for _, p := range []*probed{gone, lives} {
			if err := m.Add(p); err != nil {
				t.Fatal(err)
			}
			m.Probe(p) // was heard just now
		}
		if gone.pings > 0 {
			t.Error("pinged, though it was heard in the same tick")
		}
		time.Sleep(policy.Timeout)
		begin, before := time.Now(), lives.pings
		for range 100 {
			for _, p := range []*probed{gone, lives, stranger} {
				m.Probe(p)
			}
		}
		if gone.pings != 1 || lives.pings != before+1 || stranger.pings != 0 {
			t.Errorf("%d, %d and %d pings", gone.pings, lives.pings-before, stranger.pings)
		}
		time.Sleep(2 * policy.Timeout)
		if d := gone.expired.Sub(begin); gone.expired.IsZero() || d < policy.Timeout {
			t.Errorf("expired after %v", d)
		}
		if !lives.expired.IsZero() || m.Len() != 1 {
			t.Errorf("a peer that answered has expired; %d are left", m.Len())
		}
	})
}
