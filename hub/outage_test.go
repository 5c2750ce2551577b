package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
)

// outage is a broker that can be lost.
type outage struct {
	*memory.Broker
	receiver broker.Receiver
	down     atomic.Bool
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	return &outage{Broker: b}
}

func (o *outage) Start(ctx context.Context, node string, r broker.Receiver) error {
	o.receiver = r
	return o.Broker.Start(ctx, node, r)
}

func (o *outage) unavailable() error {
	if o.down.Load() {
		return fmt.Errorf("test: %w: %w", broker.ErrUnavailable, net.ErrClosed) // the broker's connection, not the client's
	}
	return nil
}

func (o *outage) Publish(ctx context.Context, room string, p broker.Publication) (broker.Result, error) {
	if err := o.unavailable(); err != nil {
		return broker.Result{}, err
	}
	return o.Broker.Publish(ctx, room, p)
}

func (o *outage) Subscribe(ctx context.Context, rooms ...string) error {
	return errors.Join(o.unavailable(), o.Broker.Subscribe(ctx, rooms...))
}

func (o *outage) Broadcast(ctx context.Context, payload []byte) error {
	return errors.Join(o.unavailable(), o.Broker.Broadcast(ctx, payload))
}

// lose and restore tell the hub twice, which a broker may.
func (o *outage) lose() {
	o.down.Store(true)
	o.receiver.StateChanged(broker.Stale)
	o.receiver.StateChanged(broker.Stale)
}

func (o *outage) restore() {
	o.down.Store(false)
	o.receiver.StateChanged(broker.Live)
	o.receiver.StateChanged(broker.Live)
}

// TestOutage: clients are told; what publishing does is the policy's to say.
func TestOutage(t *testing.T) {
	for _, policy := range []hub.OutagePolicy{hub.OutageRefuse, hub.OutageDegrade} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			b := newOutage(t)
			s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithOutage(policy), hub.WithRooms("past:*", hub.DefaultHistory()))
			c := s.dial(t)
			c.ask(`{"op":"join","id":1,"room":"a"}`)
			b.lose()
			c.expect(`{"op":"stale"}`)
			if got, want := s.Ready(), policy == hub.OutageDegrade; got != want {
				t.Errorf("Ready is %v, want %v", got, want)
			}
			if !s.Stats().Stale {
				t.Error("Stats do not say that the broker is lost")
			}
			for _, frame := range []string{`{"op":"join","id":2,"room":"new"}`, `{"op":"publish","id":2,"room":"past:a","data":1}`} {
				if r := c.ask(frame); r.Op != "error" || r.ID != 2 || r.Code != "unavailable" {
					t.Errorf("%s: %+v", frame, r)
				}
			}
			if _, err := s.Publish(t.Context(), "past:a", []byte("1")); !errors.Is(err, broker.ErrUnavailable) {
				t.Errorf("Publish to a room with history: %v", err)
			}
			_, err := s.Publish(t.Context(), "a", []byte(`"local"`))
			switch policy {
			case hub.OutageRefuse:
				if !errors.Is(err, broker.ErrUnavailable) {
					t.Errorf("Publish: %v", err)
				}
			default:
				if err != nil {
					t.Errorf("Publish: %v", err)
				}
				c.expect(`{"op":"message","room":"a","data":"local"}`)
				if st := s.Stats(); st.Degraded != 1 || st.Published != 1 {
					t.Errorf("stats %+v", st)
				}
			}
			b.restore()
			c.expect(`{"op":"live"}`)
			if !s.Ready() || s.Stats().Stale {
				t.Error("not ready after the broker came back")
			}
			c.write(`{"op":"join","id":3,"room":"new"}`)
			c.expect(`{"op":"ok","id":3,"room":"new"}`)
			s.publish(t, "new", 1)
			c.expect(`{"op":"message","room":"new","data":1}`)
		})
	}
}

// TestBrokerGap: where the broker lost messages, every member hears of it, in its place.
func TestBrokerGap(t *testing.T) {
	b := newOutage(t)
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("past:*", hub.DefaultHistory()))
	c := s.dial(t)
	c.ask(`{"op":"join","id":1,"room":"past:a"}`)
	s.publish(t, "past:a", 1)
	first := c.read()
	b.receiver.Gap("past:a", broker.Position{Epoch: "next", Offset: 7})
	b.receiver.Deliver("past:a", []broker.Message{{Data: []byte("8"), Position: broker.Position{Epoch: "next", Offset: 8}}})
	c.expect(
		`{"op":"gap","room":"past:a","epoch":"next","offset":7}`,
		`{"op":"message","room":"past:a","epoch":"next","offset":8,"data":8}`,
	)
	b.receiver.Gap("nobody's", broker.Position{})
	if first.Offset != 1 || s.Stats().Gaps != 1 {
		t.Errorf("first %+v, %d gaps", first, s.Stats().Gaps)
	}
}

// TestRoomLinger: the node stays subscribed for a while after the last member left, and comes back any time.
func TestRoomLinger(t *testing.T) {
	for _, linger := range []time.Duration{0, 5 * time.Millisecond} {
		s := start(t, hub.WithOpenRooms("*"), hub.WithRoomLinger(linger))
		c := s.dial(t)
		for i := range 50 {
			c.ask(`{"op":"join","id":1,"room":"a"}`)
			s.publish(t, "a", i)
			if r := c.read(); string(r.Data) != fmt.Sprint(i) {
				t.Fatalf("got %+v, want message %d", r, i)
			}
			c.ask(`{"op":"leave","id":1,"room":"a"}`)
			if i%10 == 0 {
				await(t, "the room is forgotten", func() bool { return s.Stats().Rooms == 0 })
			}
		}
	}
}
