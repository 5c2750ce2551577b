package hub_test

import (
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// faultyConn is a connection of the application's, made by its listener. Its method of the name in fault panics.
type faultyConn struct {
	net.Conn
	fault *atomic.Pointer[string]
}

func (c *faultyConn) crash(method string) {
	if at := c.fault.Load(); at != nil && *at == method {
		panic(method)
	}
}

func (c *faultyConn) Read(p []byte) (int, error) {
	c.crash("Read")
	return c.Conn.Read(p)
}

func (c *faultyConn) Write(p []byte) (int, error) {
	c.crash("Write")
	return c.Conn.Write(p)
}

func (c *faultyConn) SetWriteDeadline(t time.Time) error {
	c.crash("SetWriteDeadline")
	return c.Conn.SetWriteDeadline(t)
}

type faultyListener struct {
	net.Listener
	fault *atomic.Pointer[string]
}

func (l *faultyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &faultyConn{c, l.fault}, nil
}

// TestConnGoroutinesSurvive: a panic in a goroutine that works for a connection is logged and counted, and ends this
// connection alone: in its reader, and in the goroutine that writes what waits for its socket.
func TestConnGoroutinesSurvive(t *testing.T) {
	for _, method := range []string{"Read", "Write", "SetWriteDeadline"} {
		t.Run(method, func(t *testing.T) {
			var l errorLog
			s := start(t, hub.WithOpenRooms("*"), hub.WithCloseTimeout(100*time.Millisecond), l.option())
			stays := s.bystander(t, "news")
			var fault atomic.Pointer[string]
			other := httptest.NewUnstartedServer(s.Hub)
			other.Listener = &faultyListener{other.Listener, &fault}
			other.Start()
			defer other.Close()
			c := (&server{Hub: s.Hub, t: t, http: other, url: "ws" + strings.TrimPrefix(other.URL, "http")}).dial(t)
			c.ask(`{"op":"join","id":1,"room":"news"}`)

			before := s.Stats().Panics
			fault.Store(&method)
			c.write(`{"op":"ping","id":2}`)
			await(t, "it is gone", func() bool { return s.Stats().Conns == 1 })
			if got := s.Stats(); got.Panics == before || got.Closed[protocol.CloseInternal] != 1 {
				t.Errorf("%d panics more, and closed were %v", got.Panics-before, got.Closed)
			}
			await(t, "the log tells what crashed", func() bool {
				log := l.String()
				return strings.Contains(log, method) && strings.Contains(log, "conn=")
			})
			stays()
		})
	}
}
