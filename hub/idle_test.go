package hub_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
)

// TestIdleConnectionsHaveNoGoroutine: neither those that never spoke nor those that did, once they are quiet. Without a poller,
// because the system has none or HUBKIT_DEBUG turns it off, each has one, and no more.
func TestIdleConnectionsHaveNoGoroutine(t *testing.T) {
	const conns, spare = 2000, 50
	each := 0
	if !polls() {
		t.Log("nothing polls here: an idle connection has one goroutine")
		each = 1
	}
	// A client answers pings only while it is read, which is not for long enough on a busy machine.
	s := start(t, hub.WithOpenRooms("*"), hub.WithHeartbeat(heartbeat.Disabled()))
	s.dial(t)
	s.web.CloseIdleConnections()
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

// TestIdleStreamsHaveNoGoroutine: nor have event streams over plain TCP, whether the hub accepts or net/http, once they are
// quiet.
func TestIdleStreamsHaveNoGoroutine(t *testing.T) {
	for _, door := range []bool{false, true} {
		t.Run(fmt.Sprintf("Serve=%v", door), func(t *testing.T) { idleStreams(t, door) })
	}
}

func idleStreams(t *testing.T, door bool) {
	const conns, spare = 1000, 50
	each := 0
	if !polls() {
		t.Log("nothing polls here: an idle stream has one goroutine")
		each = 1
	}
	s := start(t, hub.WithOpenRooms("*"), hub.WithHeartbeat(heartbeat.Disabled()))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: s.SSE(), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() {
		if door {
			served <- s.Serve(srv, l)
			return
		}
		served <- srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := receive(t, "the end of the server", served); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	// These have no goroutine either, so that those which there are belong to the hub.
	clients := make([]*bufio.Reader, conns)
	readTo := func(r *bufio.Reader, event string) {
		t.Helper()
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("while it waited for %s: %v", event, err)
			}
			if strings.HasPrefix(line, event) {
				return
			}
		}
	}
	before := runtime.NumGoroutine()
	for i := range clients {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /?room=r HTTP/1.1\r\nHost: hub.test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		clients[i] = bufio.NewReaderSize(conn, 1<<10)
		readTo(clients[i], "event:joined")
	}
	idle := func() bool { return runtime.NumGoroutine() < before+each*conns+spare }
	await(t, "streams that have joined are idle", idle)
	for n := range 3 {
		if _, err := s.Publish(t.Context(), "r", fmt.Appendf(nil, "%d", n)); err != nil {
			t.Fatal(err)
		}
		for _, r := range clients {
			readTo(r, fmt.Sprintf(`data:{"op":"message","room":"r","data":%d}`, n))
		}
		await(t, "streams that were sent a message are idle", idle)
	}
	if st := s.Stats(); st.Conns != conns {
		t.Errorf("%d connections, want %d; closed: %v, %d panics", st.Conns, conns, st.Closed, st.Panics)
	}
}
