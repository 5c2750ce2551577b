//go:build faults

package redis_test

import (
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// A server that hangs for half a minute, with the timeouts that everybody has.
func TestFaultPausedForLong(t *testing.T) {
	s := redistest.Start(t)
	sub, rec := start(t, []string{s.Addr()})
	pub, _ := start(t, []string{s.Addr()})
	fault(t, pub, sub, rec, false, func() {
		begin := time.Now()
		s.Pause()
		wait(t, rec, "the state to be stale", func(r *brokertest.Recorder) bool { return len(r.States()) > 0 })
		if d := time.Since(begin); d > 7*time.Second {
			t.Errorf("noticed after %v", d)
		}
		time.Sleep(30*time.Second - time.Since(begin))
		s.Continue()
	})
}
