package hub_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestSSEHeartbeats: an idle stream has a comment for each interval, and is never taken for lost because nothing comes back.
func TestSSEHeartbeats(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		p := w.start(t, hub.WithOpenRooms("*"), hub.WithCompression(1, 1),
			hub.WithHeartbeat(heartbeat.Policy{Interval: 20 * time.Millisecond, Timeout: 20 * time.Millisecond}))
		e := p.open("room=r", encoding(compressed))
		e.named("joined")
		await(t, "pings", func() bool { return p.server.Stats().Heartbeat.Pings >= 5 })
		if _, err := p.server.Publish(t.Context(), "r", []byte("1")); err != nil {
			t.Fatal(err)
		}
		e.named("message")
		if st := p.server.Stats(); e.beats < 3 || st.Conns != 1 || st.Heartbeat.Expired != 0 {
			t.Errorf("%d beats, %+v", e.beats, st.Heartbeat)
		}
	})
}

// TestSSEDrain: a stream whose node leaves is told when to come back.
func TestSSEDrain(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		p := w.start(t, hub.WithOpenRooms("*"), hub.WithCompression(1, 1), hub.WithRooms("kept", hub.DefaultHistory()))
		e := p.open("room=kept", encoding(compressed))
		e.named("joined")
		if _, err := p.server.Publish(t.Context(), "kept", []byte("1")); err != nil {
			t.Fatal(err)
		}
		e.named("message")
		done := make(chan error, 1)
		go func() { done <- p.server.Shutdown(context.Background()) }()
		before := e.retry
		c := e.closes(protocol.CloseServiceRestart)
		if e.retry == before || int64(e.retry) < c.Retry || int64(e.retry) > c.Retry+c.Spread {
			t.Errorf("retry %d, %+v", e.retry, c)
		}
		if err := receive(t, "Shutdown", done); err != nil {
			t.Error(err)
		}
		late := p.open("room=kept", as("", "Accept", "text/event-stream"))
		late.closes(protocol.CloseTryAgainLater)
	})
}

// TestSSEHubCloses: a hub that is closed at once says so to its streams.
func TestSSEHubCloses(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		p := w.start(t, hub.WithOpenRooms("*"), hub.WithCompression(1, 1), hub.WithCloseTimeout(patience))
		e := p.open("room=r", encoding(compressed))
		e.named("joined")
		if err := p.server.Close(); err != nil {
			t.Fatal(err)
		}
		e.closes(protocol.CloseServiceRestart)
	})
}

// TestSSEExpires: a stream whose identity ends is asked for a new token, which it brings when it comes back.
func TestSSEExpires(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel() // they wait, and little else
			p := w.start(t, fine, hub.WithOpenRooms("*"), hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
				ms, err := strconv.Atoi(token)
				return hub.Identity{User: "ada", ExpiresAt: time.Now().Add(time.Duration(ms) * time.Millisecond)}, err
			}))
			e := p.open("room=r&token=4000", nil)
			if f := e.named("welcome").frame(t); f.Expires <= 0 || f.Expires > 4*time.Second {
				t.Errorf("%+v", f)
			}
			e.named("joined")
			if f := e.named("refresh").frame(t); f.Expires < 0 {
				t.Errorf("%+v", f)
			}
			e.closes(protocol.CloseTokenExpired)
		})
	}
}

// TestSSECallbacks: what a callback does to a stream is what it does to a connection.
func TestSSECallbacks(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		p := w.start(t, hub.WithCompression(1, 1), hub.WithAuthenticator(asUser))
		s := p.server
		ends := make(chan error, 1)
		s.OnConnect(func(ctx context.Context, c *hub.Conn) error {
			switch c.Identity().User {
			case "no":
				return hub.ErrForbidden
			case "panic":
				panic("OnConnect")
			case "waits":
				<-ctx.Done()
				ends <- ctx.Err()
			}
			if err := c.Send([]byte(`"hello"`)); err != nil {
				return err
			}
			return c.Join(ctx, "own:"+c.Identity().User)
		})
		s.OnDisconnect(func(_ context.Context, c *hub.Conn, err error) {
			if c.Identity().User == "ada" {
				ends <- err
			}
		})
		open := func(user string) *eventStream {
			header := encoding(compressed)
			header.Set("X-User", user)
			e := p.open("", header)
			e.named("welcome")
			return e
		}
		ada := open("ada")
		ada.expect("message", `{"op":"message","data":"hello"}`)
		ada.expect("joined", `{"op":"joined","room":"own:ada"}`)
		open("no").closes(protocol.CloseForbidden)
		open("panic").closes(protocol.CloseHandlerPanic)
		waits := open("waits")
		_ = waits.release()
		if err := receive(t, "the end of the context", ends); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if _, err := s.Publish(t.Context(), "own:ada", []byte("1")); err != nil {
			t.Fatal(err)
		}
		ada.expect("message", `{"op":"message","room":"own:ada","data":1}`)
		_ = ada.release()
		_ = receive(t, "OnDisconnect", ends)
	})
}

// TestSSESlow: a client that does not read is closed when its backlog is full. It goes on from its last id, in all its rooms: nothing
// is lost, and nothing comes twice. The other member of the rooms notices nothing.
func TestSSESlow(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		w.tr.sendBuffer = smallBuffers
		p := w.start(t, hub.WithOpenRooms("*"), hub.WithCompression(1, 1<<20), hub.WithBacklog(64, 256<<10), hub.WithWriteTimeout(patience),
			hub.WithCloseTimeout(100*time.Millisecond), hub.WithRooms("kept:*", hub.History(100_000, time.Hour), hub.Overflow(hub.OverflowReplay)),
			hub.WithHeartbeat(heartbeat.Policy{Interval: time.Hour, Timeout: time.Hour})) // the bystander reads, and answers pings, at the end
		s := p.server
		stillServed := s.bystander(t, "elsewhere")
		const size = 16 << 10
		noise := make([]byte, 0, size)
		for x := uint32(1); len(noise) < size-16; x = x*1664525 + 1013904223 { // which compresses badly
			noise = strconv.AppendUint(noise, uint64(x), 36)
		}
		last := map[string]int{}
		take := func(e *eventStream) bool {
			ev, err := e.read()
			if err != nil || ev.name == "close" {
				return false
			}
			if ev.name != "message" {
				return true
			}
			f := ev.frame(t)
			n, err := strconv.Atoi(strings.Fields(strings.Trim(string(f.Data), `"`))[0])
			if err != nil || n != last[string(f.Room)]+1 {
				t.Fatalf("%s: %d after %d", f.Room, n, last[string(f.Room)])
			}
			last[string(f.Room)] = n
			return true
		}
		e := p.open("room=kept:a&room=kept:b", encoding(compressed))
		e.named("joined")
		e.named("joined")
		published := 0
		// The hub counts it as closed when its connection has ended. Until then the test must not publish more than a replay may have.
		for ; s.Stats().Dropped == 0; published++ {
			if published == 500 {
				t.Fatal("the backlog never overflowed")
			}
			for _, room := range []string{"kept:a", "kept:b"} {
				if _, err := s.Publish(t.Context(), room, []byte(`"`+strconv.Itoa(published+1)+" "+string(noise)+`"`)); err != nil {
					t.Fatal(err)
				}
			}
		}
		await(t, "it is closed", func() bool { return s.Stats().Closed[protocol.CloseSlowConsumer] == 1 })
		for take(e) {
		}
		stillServed()
		header := encoding(compressed)
		header.Set("Last-Event-ID", e.lastID)
		e = p.open("room=kept:a&room=kept:b", header)
		for last["kept:a"] < published || last["kept:b"] < published {
			if !take(e) {
				t.Fatal("the stream ended")
			}
		}
	})
}

// TestSSEReplays: a stream in one room that may be read again from its history is paused, not closed.
func TestSSEReplays(t *testing.T) {
	tr := poller
	tr.sendBuffer = smallBuffers
	p := way{tr: tr}.start(t, hub.WithOpenRooms("*"), hub.WithBacklog(64, 256<<10), hub.WithWriteTimeout(patience),
		hub.WithRooms("kept", hub.History(100_000, time.Hour), hub.Overflow(hub.OverflowReplay)))
	e := p.open("room=kept", nil)
	e.named("joined")
	published := 0
	for ; published < 1000; published++ {
		if _, err := p.server.Publish(t.Context(), "kept", payload(published, 16<<10)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range published {
		ev := e.named("message")
		if f := ev.frame(t); f.Position.Offset != uint64(i+1) || !strings.HasSuffix(ev.id, "."+strconv.Itoa(i+1)) {
			t.Fatalf("%d: %.200s", i, ev)
		}
	}
	if st := p.server.Stats(); st.Replayed == 0 || st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
}

// TestSSEHalfOpen: a client whose host is gone is found out by what is sent to it. Here a peer's socket is closed with data unread,
// which is a reset.
func TestSSEHalfOpen(t *testing.T) {
	p := start(t, hub.WithOpenRooms("*")).streams(t)
	conn, err := net.Dial("tcp", p.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("GET /?room=r HTTP/1.1\r\nHost: hub.test\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	await(t, "the stream is open", func() bool { return p.server.Stats().Conns == 1 })
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
	await(t, "the stream is gone", func() bool { return p.server.Stats().Conns == 0 })
}
