package brokertest

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

var lifecycleChecks = []check{
	{"NotStarted", nil, checkNotStarted},
	{"Canceled", nil, checkCanceled},
	{"Closed", nil, checkClosed},
	{"CloseUnderLoad", nil, checkCloseUnderLoad},
}

// call is a method of a broker with arguments that are right.
type call struct {
	name string
	do   func(ctx context.Context) error
}

// calls lists all that a broker can be asked for between Start and Close.
func calls(b broker.Broker) []call {
	const room, conn = "brokertest", "conn"
	kept := broker.Retention{Size: 1, TTL: time.Minute}
	all := []call{
		{"Subscribe", func(ctx context.Context) error { return b.Subscribe(ctx, room) }},
		{"Unsubscribe", func(ctx context.Context) error { return b.Unsubscribe(ctx, room) }},
		{"Publish", func(ctx context.Context) error {
			_, err := b.Publish(ctx, room, text("m"))
			return err
		}},
	}
	if h, ok := b.(broker.History); ok {
		all = append(all, call{"Read", func(ctx context.Context) error {
			_, err := h.Read(ctx, room, broker.Query{Retention: kept})
			return err
		}}, call{"Publish with history", func(ctx context.Context) error {
			_, err := b.Publish(ctx, room, broker.Publication{Retention: kept})
			return err
		}})
	}
	if p, ok := b.(broker.Positioner); ok {
		all = append(all, call{"SubscribeAt", func(ctx context.Context) error { return p.SubscribeAt(ctx, room, kept) }})
	}
	if o, ok := b.(broker.Occupancy); ok {
		all = append(all,
			call{"Occupy", func(ctx context.Context) error {
				_, err := o.Occupy(ctx, room)
				return err
			}},
			call{"Vacate", func(ctx context.Context) error {
				_, err := o.Vacate(ctx, room)
				return err
			}},
			call{"Tend", func(ctx context.Context) error {
				_, err := o.Tend(ctx)
				return err
			}})
	}
	if p, ok := b.(broker.Presence); ok {
		all = append(all,
			call{"Enter", func(ctx context.Context) error { return p.Enter(ctx, room, broker.Member{Conn: conn}) }},
			call{"Leave", func(ctx context.Context) error { return p.Leave(ctx, room, conn) }},
			call{"Members", func(ctx context.Context) error {
				_, err := p.Members(ctx, room, 0)
				return err
			}},
			call{"Count", func(ctx context.Context) error {
				_, err := p.Count(ctx, room)
				return err
			}})
	}
	if bus, ok := b.(broker.Bus); ok {
		all = append(all,
			call{"Broadcast", func(ctx context.Context) error { return bus.Broadcast(ctx, []byte("c")) }},
			call{"Send", func(ctx context.Context) error { return bus.Send(ctx, "brokertest", []byte("c")) }},
			call{"Nodes", func(ctx context.Context) error {
				_, err := bus.Nodes(ctx)
				return err
			}})
	}
	if s, ok := b.(broker.Secrets); ok {
		all = append(all, call{"Secret", func(ctx context.Context) error {
			_, err := s.Secret(ctx, room, []byte("secret"))
			return err
		}})
	}
	return all
}

func checkNotStarted(t testing.TB, w *world) {
	b := w.NewNode(t)
	for _, c := range calls(b) {
		if err := c.do(w.ctx); !errors.Is(err, broker.ErrNotStarted) {
			t.Errorf("%s before Start: %v, want ErrNotStarted", c.name, err)
		}
	}
	if err := b.Close(w.ctx); err != nil {
		t.Errorf("Close before Start: %v", err)
	}
}

// A ctx that has ended ends a call at once; the message is not published.
func checkCanceled(t testing.TB, w *world) {
	n := w.node()
	n.subscribe("brokertest")
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	for _, c := range calls(n.Broker) {
		if err := c.do(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a canceled context: %v, want context.Canceled", c.name, err)
		}
	}
	room := w.room("canceled")
	n.subscribe(room)
	if _, err := n.Publish(ctx, room, text("lost")); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish with a canceled context: %v, want context.Canceled", err)
	}
	n.publish(room, text("seen"))
	if ms := n.waitFor(room, 1); string(ms[0].Data) != "seen" {
		t.Errorf("delivered %q, want only what was published", ms[0].Data)
	}
}

func checkClosed(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("closed")
	sub.subscribe(room)
	if err := sub.Close(w.ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
	sub.rec.Seal()
	for _, c := range calls(sub.Broker) {
		err := c.do(w.ctx)
		if !errors.Is(err, broker.ErrClosed) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed and net.ErrClosed", c.name, err)
		}
	}
	if err := sub.Close(w.ctx); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("second Close: %v, want ErrClosed", err)
	}
	if err := sub.Start(w.ctx, "again", NewRecorder()); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Start after Close: %v, want ErrClosed", err)
	}
	if pub != sub { // the others go on
		pub.subscribe(room)
		pub.publish(room, text("m"))
		pub.waitFor(room, 1)
	}
}

// Close waits for the calls of the receiver and lets none follow, however busy the room is.
func checkCloseUnderLoad(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("busy")
	sub.subscribe(room)
	var publishers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		publishers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := pub.Publish(w.ctx, room, text("m")); err != nil {
					if pub != sub || !errors.Is(err, broker.ErrClosed) {
						t.Errorf("Publish: %v", err)
					}
					return
				}
			}
		})
	}
	sub.wait("the first messages", func(r *Recorder) bool { return len(r.Messages(room)) > 50 })
	err := sub.Close(w.ctx)
	sub.rec.Seal()
	close(stop)
	publishers.Wait()
	if err != nil {
		t.Fatalf("Close: %v", err)
	}
}
