package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
)

// service is a hub behind an HTTP server, which can be restarted at its address as a deploy would. The hub has
// the rooms past:* with history, here:* with presence and history, and others, all of them open.
type service struct {
	t     testing.TB
	addr  string
	opts  []hub.Option
	setup func(*hub.Hub)

	mu    sync.Mutex
	hub   *hub.Hub
	next  chan struct{} // closed when another hub has taken hub's place
	conns map[string]*hub.Conn
	saved bytes.Buffer // the snapshot of the last broker

	// Of the goroutine that starts and stops.
	broker *memory.Broker
	http   *http.Server
	served chan error
}

// serve starts a service that runs until the test ends. setup registers handlers other than OnConnect and
// OnDisconnect; it may be nil.
func serve(t testing.TB, setup func(*hub.Hub), opts ...hub.Option) *service {
	t.Helper()
	s := &service{
		t:     t,
		addr:  "127.0.0.1:0",
		opts:  opts,
		setup: setup,
		next:  make(chan struct{}),
		conns: make(map[string]*hub.Conn),
	}
	s.start()
	t.Cleanup(func() {
		if s.http != nil {
			s.stop()
		}
	})
	return s
}

func (s *service) url() string { return "ws://" + s.addr }

// start starts a hub with what the one before it has saved.
func (s *service) start() {
	b, err := memory.New()
	s.check(err)
	if s.saved.Len() > 0 {
		s.check(b.Restore(&s.saved))
	}
	h, err := hub.New(append([]hub.Option{
		hub.WithBroker(b),
		hub.WithLogger(slog.New(slog.DiscardHandler)),
		hub.WithOpenRooms("*"),
		hub.WithRooms("past:*", hub.History(100_000, time.Hour)),
		hub.WithRooms("here:*", hub.Presence(), hub.History(1000, time.Hour)),
		hub.WithDrain(200 * time.Millisecond),
	}, s.opts...)...)
	s.check(err)
	if err != nil {
		return
	}
	if s.setup != nil {
		s.setup(h)
	}
	s.track(h)
	ln := s.listen()
	s.broker = b
	s.http = &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: patience}
	s.served = make(chan error, 1)
	srv := s.http
	serve := srv.Serve
	if os.Getenv("HUBKIT_TEST_SERVE") != "" { // as the tests of package hub
		serve = func(ln net.Listener) error { return h.Serve(srv, ln) }
	}
	go func(served chan<- error) { served <- serve(ln) }(s.served)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.hub = h
	close(s.next)
	s.next = make(chan struct{})
}

// listen listens at the address of before. For a moment a socket of somebody else's may have its port.
func (s *service) listen() net.Listener {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		ln, err := net.Listen("tcp", s.addr)
		if err == nil {
			s.addr = ln.Addr().String()
			return ln
		}
		if time.Now().After(deadline) {
			panic(err)
		}
	}
}

// track keeps the connections that stand.
func (s *service) track(h *hub.Hub) {
	h.OnConnect(func(_ context.Context, c *hub.Conn) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns[c.ID()] = c
		return nil
	})
	h.OnDisconnect(func(_ context.Context, c *hub.Conn, _ error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c.ID())
	})
}

// stop shuts the hub down in order and saves what its broker has.
func (s *service) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h, _ := s.current()
	s.check(h.Shutdown(ctx))
	s.check(s.http.Close())
	if err := <-s.served; !errors.Is(err, http.ErrServerClosed) {
		s.check(err)
	}
	s.http = nil
	s.saved.Reset()
	s.check(s.broker.Snapshot(&s.saved))
}

// check is must for goroutines other than the test's.
func (s *service) check(err error) {
	if err != nil {
		s.t.Error(err)
	}
}

// current is the hub of the moment, and what is closed when another takes its place.
func (s *service) current() (h *hub.Hub, next <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub, s.next
}

// publish publishes from the server's side, on the hub that comes where this one is closed.
func (s *service) publish(ctx context.Context, room, data, key string) (broker.Position, error) {
	for {
		h, next := s.current()
		res, err := h.Publish(ctx, room, []byte(data), hub.IdempotencyKey(key, 0))
		if !errors.Is(err, hub.ErrClosed) {
			return res.Position, err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return broker.Position{}, context.Cause(ctx)
		}
	}
}

// stored is all that the hub has of a room.
func (s *service) stored(ctx context.Context, room string) broker.Page {
	s.t.Helper()
	h, _ := s.current()
	page, err := h.History(ctx, room, broker.Position{}, 0)
	must(s.t, err)
	return page
}

// standing lists the connections of the moment.
func (s *service) standing() []*hub.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conns := make([]*hub.Conn, 0, len(s.conns))
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}
