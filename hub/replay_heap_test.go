package hub_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
)

// TestReplayHeap: who stalls for sixty times as many messages costs the process no more memory.
func TestReplayHeap(t *testing.T) {
	// One second's messages, sixty of which are the minute's; the history is full after the first.
	const clients, second, size = 20, 500, 512
	tr := poller
	tr.sendBuffer = smallBuffers
	s := tr.start(t, hub.WithOpenRooms("*"), hub.WithBacklog(64, 64<<10), hub.WithHeartbeat(heartbeat.Disabled()),
		hub.WithRooms("replay", hub.History(second, time.Hour), hub.Overflow(hub.OverflowReplay)))
	conns := make([]*hub.Conn, clients)
	for i := range conns {
		_, conns[i] = s.stall(t, "replay")
	}
	heap := func() int64 {
		await(t, "all are behind, with a page that waits", func() bool {
			for _, c := range conns {
				if st := c.Stats(); st.Replaying != 1 || st.BacklogMessages == 0 {
					return false
				}
			}
			return true
		})
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools held
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	s.publishMany(t, "replay", 0, second, size)
	after1 := heap()
	s.publishMany(t, "replay", second, 60*second, size)
	after60 := heap()
	t.Logf("%d stalled clients: heap %d KiB after %d messages, %d KiB after %d", clients, after1>>10, second, after60>>10, 60*second)
	// A page that waits keeps messages that the history has dropped since, and all pages may keep one history. The runtime and the
	// test need some too. It is less than four seconds' messages, of sixty for each of the clients.
	if grown := after60 - after1; grown > 4*second*size {
		t.Errorf("the heap has grown by %d KiB, from %d", grown>>10, after1>>10)
	}
}
