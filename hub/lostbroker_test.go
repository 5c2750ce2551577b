package hub_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// interests is an outage that knows what is subscribed. Like the broker on Redis it keeps an interest that it
// could not serve at once.
type interests struct {
	*outage
	mu    sync.Mutex
	rooms map[string]bool
}

func newInterests(t *testing.T) *interests {
	t.Helper()
	return &interests{outage: newOutage(t), rooms: make(map[string]bool)}
}

func (b *interests) set(rooms []string, subscribed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range rooms {
		b.rooms[r] = subscribed
	}
}

func (b *interests) subscribed(room string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rooms[room]
}

func (b *interests) Subscribe(ctx context.Context, rooms ...string) error {
	b.set(rooms, true)
	return b.outage.Subscribe(ctx, rooms...)
}

func (b *interests) Unsubscribe(ctx context.Context, rooms ...string) error {
	b.set(rooms, false)
	return b.outage.Unsubscribe(ctx, rooms...)
}

// TestStale: every client hears of an outage, who comes during it too, and the last change is the last heard of.
func TestStale(t *testing.T) {
	b := newOutage(t)
	s := start(t, hub.WithBroker(b), hub.WithoutRateLimit())
	early := s.dial(t)
	b.lose()
	early.expect(`{"op":"stale"}`)
	late, v1 := s.dial(t), s.dialV1(t, `{"op":"hello"}`)
	late.expect(`{"op":"stale"}`)
	v1.expect(`{"op":"stale"}`)
	b.restore()
	for _, c := range []*client{early, late, v1} {
		c.expect(`{"op":"live"}`)
	}
	s.dial(t).alive()

	silent := s.connect(t, nil, protocol.Subprotocol)
	b.lose()
	early.expect(`{"op":"stale"}`)
	silent.write(`{"op":"hello"}`)
	silent.welcomed() // before all else
	silent.expect(`{"op":"stale"}`)

	for range 500 {
		b.receiver.StateChanged(broker.Live)
		b.receiver.StateChanged(broker.Stale)
	}
	b.restore()
	heard := map[*client]string{early: "stale", silent: "stale"}
	for range 2 {
		for c := range heard {
			await(t, "the last change to be the last that a client hears of", func() bool {
				c.write(`{"op":"ping","id":1}`)
				for r := c.read(); r.Op != "ok"; r = c.read() {
					heard[c] = r.Op
				}
				return heard[c] == "live"
			})
		}
		time.Sleep(20 * time.Millisecond) // for what must not come
	}
}

// TestJoinRefused: a join that the broker refuses leaves no interest behind.
func TestJoinRefused(t *testing.T) {
	b := newInterests(t)
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRoomLinger(time.Millisecond))
	c := s.dial(t)
	b.down.Store(true)
	if r := c.ask(`{"op":"join","id":1,"room":"a"}`); r.Code != "unavailable" {
		t.Fatalf("join: %+v, want unavailable", r)
	}
	await(t, "the interest is taken back", func() bool { return !b.subscribed("a") && s.Stats().Rooms == 0 })
	b.down.Store(false)
	c.write(`{"op":"join","id":2,"room":"a"}`)
	c.expect(`{"op":"ok","id":2,"room":"a"}`)
	if !b.subscribed("a") {
		t.Error("a member without a subscription")
	}
}

// TestConnectWithoutBroker: OnConnect that fails because the broker is lost turns nobody away for good.
func TestConnectWithoutBroker(t *testing.T) {
	b := newOutage(t)
	s := start(t, hub.WithBroker(b))
	s.OnConnect(func(ctx context.Context, c *hub.Conn) error { return c.Join(ctx, "news") })
	b.down.Store(true)
	c := s.connect(t, nil)
	c.welcomed()
	if h := c.hinted(protocol.CloseTryAgainLater); h.Spread <= 0 {
		t.Errorf("hint %+v, want a spread", h)
	}
	b.down.Store(false)
	s.dial(t).expect(`{"op":"joined","room":"news"}`)
}

// TestJoinAtEndOfLinger: a member always has a subscription, however close its join is to the end of the linger
// after the last one.
func TestJoinAtEndOfLinger(t *testing.T) {
	b := newInterests(t)
	s := start(t, hub.WithBroker(b), hub.WithRoomLinger(0))
	conns := make(chan *hub.Conn, 1)
	s.OnConnect(func(_ context.Context, c *hub.Conn) error {
		conns <- c
		return nil
	})
	reader := s.dial(t)
	c := receive(t, "the connection", conns)
	go func() { _ = reader.end() }()
	for i := range 5000 {
		if err := c.Join(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		for range i % 64 { // the janitor comes along sooner or later
			if !b.subscribed("a") {
				t.Fatalf("round %d: a member without a subscription", i)
			}
		}
		if err := c.Leave(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the room is forgotten", func() bool { return s.Stats().Rooms == 0 && !b.subscribed("a") })
}
