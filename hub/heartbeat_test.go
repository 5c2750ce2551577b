package hub_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
	"go.uber.org/goleak"
)

// TestVanishedClients: ten thousand clients that fall silent without a word are found by the heartbeat, all of them, and
// leave neither a goroutine nor a file descriptor behind.
func TestVanishedClients(t *testing.T) {
	const children, each = 2, 5000
	testenv.NoLeaks(t, goleak.IgnoreCurrent())
	policy := heartbeat.Policy{Interval: 2 * time.Second, Timeout: time.Second}
	s := start(t, hub.WithHeartbeat(policy), hub.WithCloseTimeout(10*time.Millisecond))
	goroutines, fds := runtime.NumGoroutine(), len(testenv.FDs())
	for i := range children {
		s.startChild(t, abandonJob, fmt.Sprint(i), each, nil)
	}
	await(t, "all are gone", func() bool {
		st := s.Stats()
		return st.Accepted == children*each && st.Conns == 0 && st.Heartbeat.Expired >= children*each
	})
	st := s.Stats()
	if n := st.Closed[protocol.CloseHeartbeatTimeout]; n != children*each {
		t.Errorf("%d were closed with 4002, want %d: %v", n, children*each, st.Closed)
	}
	if st.Heartbeat.Expired != children*each || st.Heartbeat.Peers != 0 {
		t.Errorf("heartbeat: %+v", st.Heartbeat)
	}
	// What the children took is some.
	const spare = 10 * children
	await(t, "goroutines are back", func() bool { return runtime.NumGoroutine() <= goroutines+spare })
	await(t, "file descriptors are back", func() bool { return len(testenv.FDs()) <= fds+spare })
}

// TestVanishedClient is the same for a few, on every transport.
func TestVanishedClient(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it takes a while, and little else
		policy := heartbeat.Policy{Interval: time.Second, Timeout: time.Second}
		s := tr.start(t, hub.WithHeartbeat(policy))
		ends := make(chan error, 10)
		s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { ends <- err })
		for range cap(ends) {
			s.dial(t)
		}
		for range cap(ends) {
			var ce *hub.CloseError
			if err := receive(t, "OnDisconnect", ends); !errors.As(err, &ce) || ce.Code != protocol.CloseHeartbeatTimeout {
				t.Errorf("OnDisconnect: %v", err)
			}
		}
	})
}

// TestAnsweringClientStays: it answers pings and says nothing else.
func TestAnsweringClientStays(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it takes a while, and little else
		const pings = 3
		policy := heartbeat.Policy{Interval: 3 * time.Second, Timeout: 3 * time.Second}
		s := tr.start(t, hub.WithHeartbeat(policy))
		c := s.dial(t)
		seen, answer := make(chan struct{}, 100), c.ws.PingHandler()
		c.ws.SetPingHandler(func(p string) error {
			seen <- struct{}{}
			return answer(p)
		})
		done := make(chan error, 1)
		go func() { done <- c.end() }()
		for range pings {
			receive(t, "a ping", seen)
		}
		select {
		case err := <-done:
			t.Fatalf("cut: %v", err)
		default:
		}
		if st := s.Stats(); st.Conns != 1 || st.Heartbeat.Expired != 0 {
			t.Errorf("%+v", st)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		_ = receive(t, "the end", done) // whichever it was
	})
}

// TestSlowHandlerIsNotCut: a client that has answered is alive, though its answer waits behind a handler.
func TestSlowHandlerIsNotCut(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it takes a while, and little else
		policy := heartbeat.Policy{Interval: time.Second, Timeout: time.Second}
		s := tr.start(t, hub.WithHeartbeat(policy))
		started, release := make(chan struct{}), make(chan struct{})
		s.Handle("slow", func(context.Context, *hub.Conn, []byte) (any, error) {
			close(started)
			<-release
			return "done", nil
		})
		c := s.dial(t)
		c.write(`{"op":"call","id":1,"method":"slow"}`)
		receive(t, "the handler", started)
		c.writeBytes(masked(finBit|pongFrame, "")) // waits there, whenever the goroutine below gets its time
		answered := make(chan string, 1)
		go func() { // which answers pings
			p, err := c.tryNext()
			if err != nil {
				t.Errorf("read: %v", err)
			}
			answered <- string(p)
		}()
		await(t, "the deadline passes several times", func() bool { return s.Stats().Heartbeat.Revived >= 2 })
		close(release)
		if got := receive(t, "the answer", answered); got != `{"op":"ok","id":1,"data":"done"}` {
			t.Errorf("got %s", got)
		}
		c.alive()
	})
}
