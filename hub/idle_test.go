package hub_test

import (
	"runtime"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

// TestIdleConnectionsHaveNoGoroutine: neither those that never spoke nor those that did, once they are quiet.
func TestIdleConnectionsHaveNoGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("only Linux has a poller: each connection has a goroutine here")
		return
	}
	const conns, spare = 2000, 50
	s := start(t, hub.WithOpenRooms("*"))
	s.dial(t)
	s.http.Client().CloseIdleConnections()
	before := runtime.NumGoroutine()
	clients := make([]*client, conns)
	for i := range clients {
		clients[i] = s.dial(t)
	}
	idle := func() bool { return runtime.NumGoroutine() < before+spare }
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
