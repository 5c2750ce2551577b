package hub_test

import (
	"runtime"
	"testing"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/engine/fastpath"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
)

// TestIdleConnectionsHaveNoGoroutine: neither those that never spoke nor those that did, once they are quiet. Without a poller,
// because the system has none or HUBKIT_DEBUG turns it off, each has one, and no more.
func TestIdleConnectionsHaveNoGoroutine(t *testing.T) {
	const conns, spare = 2000, 50
	each := 0
	if !netpoll.Supported || !fastpath.Poller.Enabled() {
		t.Log("nothing polls here: an idle connection has one goroutine")
		each = 1
	}
	// A client answers pings only while it is read, which is not for long enough on a busy machine.
	s := start(t, hub.WithOpenRooms("*"), hub.WithHeartbeat(heartbeat.Disabled()))
	s.dial(t)
	s.http.Client().CloseIdleConnections()
	before := runtime.NumGoroutine()
	clients := make([]*client, conns)
	for i := range clients {
		clients[i] = s.dial(t)
	}
	idle := func() bool { return runtime.NumGoroutine() < before+each*conns+spare }
	await(t, "connections that never spoke are idle", idle)
	for _, c := range clients {
		c.alive()
	}
	await(t, "connections that spoke once are idle", idle)
	for _, c := range clients { // so many in a second make one hot
		for range 6 {
			c.alive()
		}
	}
	await(t, "connections that were busy are idle", idle)
	if st := s.Stats(); st.Conns != conns+1 {
		t.Errorf("%d connections, want %d; closed: %v, %d panics", st.Conns, conns+1, st.Closed, st.Panics)
	}
	for _, c := range clients[:100] {
		c.alive()
	}
}
