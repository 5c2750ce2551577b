package hub_test

import (
	"context"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

type memoryBroker = *memory.Broker

func newMemory(t *testing.T) memoryBroker {
	t.Helper()
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stuck is a broker that does nothing before a request's context ends.
type stuck struct {
	memoryBroker
	entered chan struct{}
}

func (b *stuck) Subscribe(ctx context.Context, _ ...string) error {
	b.entered <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func (b *stuck) Publish(ctx context.Context, _ string, _ broker.Publication) (broker.Result, error) {
	b.entered <- struct{}{}
	<-ctx.Done()
	return broker.Result{}, ctx.Err()
}

// crashing is a broker with a fault in each of its methods that the hub calls in its own goroutines.
type crashing struct{ memoryBroker }

func (b *crashing) Publish(context.Context, string, broker.Publication) (broker.Result, error) {
	panic("Publish")
}
func (b *crashing) Leave(context.Context, string, string) error  { panic("Leave") }
func (b *crashing) Unsubscribe(context.Context, ...string) error { panic("Unsubscribe") }
func (b *crashing) Secret(context.Context, string, []byte) ([]byte, error) {
	panic("Secret")
}

// TestHubRepeatersSurvive: a panic in what the hub does from time to time ends this one time.
func TestHubRepeatersSurvive(t *testing.T) {
	var l errorLog
	s := start(t, hub.WithBroker(&crashing{newMemory(t)}), hub.WithAdmission(1000, 1000), l.option())
	await(t, "it has crashed and is counted", func() bool { return s.Stats().Panics > 0 })
	s.dial(t).alive()
	s.shutdown(t)
	if l.String() == "" {
		t.Error("nothing was logged")
	}
}

// TestHubGoroutinesSurvive: a panic in a goroutine of the hub's own costs at most the connection that it belongs to.
func TestHubGoroutinesSurvive(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		var l errorLog
		s := tr.start(t, hub.WithBroker(&crashing{newMemory(t)}), hub.WithOpenRooms("*"), l.option(),
			hub.WithRooms("here:*", hub.Presence()), hub.WithRoomLinger(time.Millisecond))
		stays := s.dial(t)

		c := s.dial(t) // in the reader
		c.write(`{"op":"publish","id":1,"room":"a","data":1}`)
		c.closed(protocol.CloseInternal)
		await(t, "it is gone, and counted", func() bool { return s.Stats().Conns == 1 && s.Stats().Panics == 1 })

		c = s.dial(t) // at the end, once for each room with presence
		c.ask(`{"op":"join","id":1,"room":"here:a"}`)
		c.ask(`{"op":"join","id":1,"room":"here:b"}`)
		c.ask(`{"op":"join","id":1,"room":"a"}`)
		_ = c.ws.Close()
		await(t, "it is gone, and counted", func() bool { return s.Stats().Conns == 1 && s.Stats().Panics >= 4 }) // Unsubscribe too
		stays.alive()
		s.shutdown(t)
		if l.String() == "" {
			t.Error("nothing was logged")
		}
	})
}
