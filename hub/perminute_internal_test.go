package hub

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPerMinute: one passes a minute, and the next that passes tells how many did not.
func TestPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Hub{start: time.Now()}
		var l perMinute
		for i, want := range []struct {
			ok      bool
			leftOut int64
		}{{true, 0}, {false, 0}, {false, 0}} {
			if ok, n := l.pass(h); ok != want.ok || n != want.leftOut {
				t.Errorf("%d: %v, %d", i, ok, n)
			}
		}
		time.Sleep(time.Minute)
		if ok, n := l.pass(h); !ok || n != 2 {
			t.Errorf("after a minute: %v, %d left out; want 2", ok, n)
		}
	})
}
