package hub_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// watchConns returns a channel of the hub's new connections.
func (s *server) watchConns() <-chan *hub.Conn {
	conns := make(chan *hub.Conn, 100)
	s.OnConnect(func(_ context.Context, c *hub.Conn) error {
		conns <- c
		return nil
	})
	return conns
}

func TestConnIDIsUnique(t *testing.T) {
	const n = 50
	s := start(t)
	seen := make(map[string]bool)
	for range n {
		c := s.dial(t)
		if seen[c.id] || !strings.HasPrefix(c.id, "n1-") {
			t.Errorf("ID %q", c.id)
		}
		seen[c.id] = true
		_ = c.ws.Close()
	}
}

func TestConn(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithAuthenticator(asUser))
		conns := s.watchConns()
		cl := s.dialAs(t, "ada")
		c := receive(t, "OnConnect", conns)

		if c.ID() != cl.id || c.Session() != cl.id {
			t.Errorf("ID %q, Session %q, the client was told %q", c.ID(), c.Session(), cl.id)
		}
		if got := c.Identity(); got.User != "ada" || got.Info != nil {
			t.Errorf("Identity %+v", got)
		}
		if got, want := c.RemoteAddr().String(), cl.ws.LocalAddr().String(); got != want {
			t.Errorf("RemoteAddr %s, want %s", got, want)
		}

		if err := errors.Join(c.Join(t.Context(), "a"), c.Join(t.Context(), "b")); err != nil {
			t.Fatal(err)
		}
		cl.expect(`{"op":"joined","room":"a"}`, `{"op":"joined","room":"b"}`)
		rooms := c.Rooms()
		slices.Sort(rooms)
		if !slices.Equal(rooms, []string{"a", "b"}) {
			t.Errorf("Rooms %v", rooms)
		}
		if err := c.Leave(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if rooms := c.Rooms(); !slices.Equal(rooms, []string{"b"}) {
			t.Errorf("Rooms %v after Leave", rooms)
		}

		if err := c.Send([]byte(`{"invoice": 12}`)); err != nil {
			t.Fatal(err)
		}
		cl.expect(`{"op":"message","data":{"invoice": 12}}`)

		if got, ok := hub.ConnFromContext(c.Context()); !ok || got != c {
			t.Error("ConnFromContext does not find the connection")
		}
		if _, ok := hub.ConnFromContext(t.Context()); ok {
			t.Error("ConnFromContext finds a connection in another context")
		}

		_ = c.Close(4321, "bye")
		_ = c.Close(4322, "too late")
		if err := c.Send([]byte("1")); !errors.Is(err, hub.ErrClosed) {
			t.Errorf("Send after Close: %v", err)
		}
		if reason := cl.closed(4321); reason != "bye" {
			t.Errorf("reason %q", reason)
		}
		finished(t, "the connection's context", c.Context().Done())
		if err := c.Join(t.Context(), "a"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Join after the end: %v", err)
		}
	})
}

type key1 struct{}
type key2 struct{ n int }

func TestConnValues(t *testing.T) {
	s := start(t)
	conns := s.watchConns()
	s.dial(t)
	c := receive(t, "OnConnect", conns)
	if v := c.Get(key1{}); v != nil {
		t.Errorf("before Set: %v", v)
	}
	c.Set(key1{}, "one")
	c.Set(key2{1}, 1)
	c.Set(key2{2}, 2)
	c.Set(key1{}, "uno")
	c.Set(key2{1}, nil)
	if c.Get(key1{}) != "uno" || c.Get(key2{1}) != nil || c.Get(key2{2}) != 2 {
		t.Errorf("%v %v %v", c.Get(key1{}), c.Get(key2{1}), c.Get(key2{2}))
	}
	c.Set(key1{}, nil)
	c.Set(key2{2}, nil)
	if c.Get(key1{}) != nil || c.Get(key2{2}) != nil {
		t.Error("values that were taken back are still there")
	}
}

// TestConnContext: everything that hangs on a connection's context ends with it.
func TestConnContext(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t)
		conns := s.watchConns()
		cl := s.dial(t)
		ctx := receive(t, "OnConnect", conns).Context()
		if err := ctx.Err(); err != nil {
			t.Fatalf("Err of a live connection: %v", err)
		}
		if _, ok := ctx.Deadline(); ok {
			t.Error("it has a deadline")
		}
		child, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		freed, free := context.WithCancel(ctx)
		free()
		called := make(chan struct{})
		context.AfterFunc(ctx, func() { close(called) })
		stop := context.AfterFunc(ctx, func() { t.Error("an AfterFunc that was stopped ran") })
		if !stop() || stop() {
			t.Error("stop does not report what it did")
		}
		_ = cl.ws.Close()
		finished(t, "the context", ctx.Done())
		finished(t, "a derived context", child.Done())
		finished(t, "AfterFunc", called)
		late := make(chan struct{})
		context.AfterFunc(ctx, func() { close(late) })
		finished(t, "a late AfterFunc", late)
		for name, c := range map[string]context.Context{"context": ctx, "derived": child, "freed": freed} {
			if !errors.Is(c.Err(), context.Canceled) {
				t.Errorf("%s: Err %v", name, c.Err())
			}
		}
		if _, ok := hub.ConnFromContext(child); !ok {
			t.Error("ConnFromContext does not look into derived contexts")
		}
	})
}

// TestHandlerContext: a handler hears that its connection is gone, though nobody reads what the client says.
func TestHandlerContext(t *testing.T) {
	s := start(t, hub.WithCloseTimeout(time.Second))
	conns, ended := s.watchConns(), make(chan struct{})
	s.OnMessage(func(ctx context.Context, c *hub.Conn, _ hub.Message) {
		_ = c.Close(protocol.CloseNormal, "")
		<-ctx.Done()
		close(ended)
	})
	cl := s.dial(t)
	cl.write(`{"op":"send","data":1}`)
	cl.closed(protocol.CloseNormal)
	finished(t, "the handler", ended)
	finished(t, "the connection", receive(t, "OnConnect", conns).Context().Done())
}

// TestEndDuringOnConnect: a connection that ends while OnConnect looks at it leaves nothing behind, Close waits for
// OnConnect, and OnDisconnect is called, since OnConnect took the connection.
func TestEndDuringOnConnect(t *testing.T) {
	for _, kind := range []string{"plain", "v1"} {
		t.Run(kind, func(t *testing.T) {
			s := start(t, hub.WithAuthenticator(asUser), hub.WithCloseTimeout(10*time.Millisecond))
			entered, release := make(chan *hub.Conn), make(chan struct{})
			s.OnConnect(func(_ context.Context, c *hub.Conn) error {
				entered <- c
				<-release
				return nil
			})
			left := make(chan error, 1)
			s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { left <- err })
			if kind == "v1" {
				c := s.connect(t, map[string][]string{"X-User": {"ada"}}, protocol.Subprotocol)
				c.write(`{"op":"hello"}`)
			} else {
				s.connect(t, map[string][]string{"X-User": {"ada"}})
			}
			c := receive(t, "OnConnect", entered)
			_ = c.Close(protocol.CloseReconnect, "")
			finished(t, "the connection", c.Context().Done())
			await(t, "the hub forgets it", func() bool { return s.Stats().Conns == 0 })
			done := make(chan error, 1)
			go func() { done <- s.Close() }()
			await(t, "the hub is closed", func() bool { return !s.Ready() })
			select {
			case err := <-done:
				t.Errorf("Close returned %v while OnConnect ran", err)
			case err := <-left:
				t.Errorf("OnDisconnect was called with %v while OnConnect ran", err)
			case <-time.After(50 * time.Millisecond): // not waiting for anything: a wrong hub is quick
			}
			close(release)
			var ce *hub.CloseError
			if err := receive(t, "OnDisconnect", left); !errors.As(err, &ce) || ce.Code != protocol.CloseReconnect {
				t.Errorf("OnDisconnect: %v", err)
			}
			if err := receive(t, "Close", done); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEndDuringTokenVerifier: a connection that ends while its token is looked at is not kept as its user's.
func TestEndDuringTokenVerifier(t *testing.T) {
	entered, release := make(chan *hub.Conn), make(chan struct{})
	s := start(t, hub.WithCloseTimeout(10*time.Millisecond), hub.WithTokenVerifier(func(ctx context.Context, _ string) (hub.Identity, error) {
		c, _ := hub.ConnFromContext(ctx)
		entered <- c
		<-release
		return hub.Identity{User: "ada"}, nil
	}))
	verified := make(chan struct{})
	s.OnConnect(func(context.Context, *hub.Conn) error {
		close(verified)
		return nil
	})
	cl := s.connect(t, nil, protocol.Subprotocol)
	cl.write(`{"op":"hello","token":"t"}`)
	c := receive(t, "the verifier", entered)
	_ = c.Close(protocol.CloseReconnect, "")
	await(t, "the hub forgets it", func() bool { return s.Stats().Conns == 0 })
	close(release)
	s.shutdown(t) // which waits for all that runs
	if n := s.Stats().Users; n != 0 {
		t.Errorf("%d users are left", n)
	}
	select {
	case <-verified:
		t.Error("OnConnect was called for a connection that was gone")
	default:
	}
}

// TestConcurrentUse: a connection's methods may be called from anywhere at any time.
func TestConcurrentUse(t *testing.T) {
	s := start(t, hub.WithRooms("here", hub.Presence()), hub.WithRooms("past", hub.DefaultHistory()))
	conns := s.watchConns()
	for range 20 {
		cl := s.dial(t)
		c := receive(t, "OnConnect", conns)
		var wg sync.WaitGroup
		for _, f := range []func(){
			func() { _ = c.Join(c.Context(), "here") },
			func() { _ = c.Join(c.Context(), "here") },
			func() { _ = c.Join(c.Context(), "past", hub.Newest(3)) },
			func() { _ = c.Leave(c.Context(), "here") },
			func() { _ = c.Leave(c.Context(), "past") },
			func() { _ = c.Send([]byte("1")) },
			func() { c.Rooms(); c.Set(key1{}, 1); c.Get(key1{}); c.Session(); c.Identity() },
			func() { _, _ = s.Publish(c.Context(), "past", []byte("1")) },
			func() { _ = c.Close(protocol.CloseNormal, "") },
			func() { _ = cl.ws.Close() },
			func() { s.Stats() },
		} {
			wg.Go(f)
		}
		wg.Wait()
	}
	await(t, "all are gone", func() bool { return s.Stats().Conns == 0 })
	p, err := s.Presence(t.Context(), "here", 0)
	if err != nil || p.Count != 0 {
		t.Errorf("presence %+v, %v; want nobody", p, err)
	}
}
