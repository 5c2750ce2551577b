package brokertest

import (
	"context"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
)

// faulty is a good broker with one thing wrong: where a hook is set it stands in for the method.
type faulty struct {
	*memory.Broker
	receiver    func(broker.Receiver) broker.Receiver
	subscribe   func(f *faulty, ctx context.Context, rooms []string) error
	unsubscribe func(f *faulty, ctx context.Context, rooms []string) error
	publish     func(f *faulty, ctx context.Context, room string, p broker.Publication) (broker.Result, error)
	read        func(f *faulty, ctx context.Context, room string, q broker.Query) (broker.Page, error)
	enter       func(f *faulty, ctx context.Context, room string, m broker.Member) error
	leave       func(f *faulty, ctx context.Context, room, conn string) error
	members     func(f *faulty, ctx context.Context, room string, limit int) ([]broker.Member, error)
	broadcast   func(f *faulty, ctx context.Context, payload []byte) error
	send        func(f *faulty, ctx context.Context, node string, payload []byte) error
	nodes       func(f *faulty, ctx context.Context) ([]broker.Node, error)
	occupy      func(f *faulty, ctx context.Context, room string) (first bool, err error)
	vacate      func(f *faulty, ctx context.Context, room string) (last bool, err error)
	position    func(f *faulty, room string) (broker.Position, bool)
	close       func(f *faulty, ctx context.Context) error
	rec         broker.Receiver
	kept        sync.Map // how the rooms of SubscribeAt are kept
}

func (f *faulty) Start(ctx context.Context, node string, r broker.Receiver) error {
	f.rec = r
	if f.receiver != nil {
		r = f.receiver(r)
	}
	return f.Broker.Start(ctx, node, r)
}

// SubscribeAt implements broker.Positioner, as does Position: a faulty broker has more to get wrong than the one in memory.
func (f *faulty) SubscribeAt(ctx context.Context, room string, kept broker.Retention) error {
	err := f.Subscribe(ctx, room)
	if err == nil {
		f.kept.Store(room, kept)
	}
	return err
}

func (f *faulty) Position(room string) (broker.Position, bool) {
	if f.position != nil {
		return f.position(f, room)
	}
	kept, ok := f.kept.Load(room)
	if !ok {
		return broker.Position{}, false
	}
	page, err := f.Broker.Read(context.Background(), room, broker.Query{PositionOnly: true, Retention: kept.(broker.Retention)})
	return page.Top, err == nil
}

func (f *faulty) Occupy(ctx context.Context, room string) (bool, error) {
	if f.occupy != nil {
		return f.occupy(f, ctx, room)
	}
	return f.Broker.Occupy(ctx, room)
}

func (f *faulty) Vacate(ctx context.Context, room string) (bool, error) {
	if f.vacate != nil {
		return f.vacate(f, ctx, room)
	}
	return f.Broker.Vacate(ctx, room)
}

func (f *faulty) Subscribe(ctx context.Context, rooms ...string) error {
	if f.subscribe != nil {
		return f.subscribe(f, ctx, rooms)
	}
	return f.Broker.Subscribe(ctx, rooms...)
}

func (f *faulty) Unsubscribe(ctx context.Context, rooms ...string) error {
	for _, room := range rooms {
		f.kept.Delete(room)
	}
	if f.unsubscribe != nil {
		return f.unsubscribe(f, ctx, rooms)
	}
	return f.Broker.Unsubscribe(ctx, rooms...)
}

func (f *faulty) Publish(ctx context.Context, room string, p broker.Publication) (broker.Result, error) {
	if f.publish != nil {
		return f.publish(f, ctx, room, p)
	}
	return f.Broker.Publish(ctx, room, p)
}

func (f *faulty) Read(ctx context.Context, room string, q broker.Query) (broker.Page, error) {
	if f.read != nil {
		return f.read(f, ctx, room, q)
	}
	return f.Broker.Read(ctx, room, q)
}

func (f *faulty) Enter(ctx context.Context, room string, m broker.Member) error {
	if f.enter != nil {
		return f.enter(f, ctx, room, m)
	}
	return f.Broker.Enter(ctx, room, m)
}

func (f *faulty) Leave(ctx context.Context, room, conn string) error {
	if f.leave != nil {
		return f.leave(f, ctx, room, conn)
	}
	return f.Broker.Leave(ctx, room, conn)
}

func (f *faulty) Members(ctx context.Context, room string, limit int) ([]broker.Member, error) {
	if f.members != nil {
		return f.members(f, ctx, room, limit)
	}
	return f.Broker.Members(ctx, room, limit)
}

func (f *faulty) Broadcast(ctx context.Context, payload []byte) error {
	if f.broadcast != nil {
		return f.broadcast(f, ctx, payload)
	}
	return f.Broker.Broadcast(ctx, payload)
}

func (f *faulty) Send(ctx context.Context, node string, payload []byte) error {
	if f.send != nil {
		return f.send(f, ctx, node, payload)
	}
	return f.Broker.Send(ctx, node, payload)
}

func (f *faulty) Nodes(ctx context.Context) ([]broker.Node, error) {
	if f.nodes != nil {
		return f.nodes(f, ctx)
	}
	return f.Broker.Nodes(ctx)
}

func (f *faulty) Close(ctx context.Context) error {
	if f.close != nil {
		return f.close(f, ctx)
	}
	return f.Broker.Close(ctx)
}

// askedOnce answers with the room that it found first.
type askedOnce struct {
	broker.RoomFinder
	rooms map[string]broker.RoomReceiver
}

func (a *askedOnce) Room(name string) broker.RoomReceiver {
	if a.rooms[name] == nil {
		a.rooms[name] = a.RoomFinder.Room(name)
	}
	return a.rooms[name]
}

// altered is a receiver that hears something else than the broker said.
type altered struct {
	broker.Receiver
	deliver func(next broker.Receiver, room string, ms []broker.Message)
	command func(next broker.Receiver, from string, payload []byte)
}

func (a altered) Deliver(room string, ms []broker.Message) {
	if a.deliver != nil {
		a.deliver(a.Receiver, room, ms)
		return
	}
	a.Receiver.Deliver(room, ms)
}

func (a altered) Command(from string, payload []byte) {
	if a.command != nil {
		a.command(a.Receiver, from, payload)
		return
	}
	a.Receiver.Command(from, payload)
}

// delivering is a fault in the delivery.
func delivering(f func(next broker.Receiver, room string, ms []broker.Message)) *faulty {
	return &faulty{receiver: func(r broker.Receiver) broker.Receiver { return altered{Receiver: r, deliver: f} }}
}

// publishing is a fault in what is published.
func publishing(change func(*broker.Publication)) *faulty {
	return &faulty{publish: func(f *faulty, ctx context.Context, room string, p broker.Publication) (broker.Result, error) {
		change(&p)
		return f.Broker.Publish(ctx, room, p)
	}}
}

// asking is a fault in what is read.
func asking(change func(*broker.Query)) *faulty {
	return &faulty{read: func(f *faulty, ctx context.Context, room string, q broker.Query) (broker.Page, error) {
		change(&q)
		return f.Broker.Read(ctx, room, q)
	}}
}

// answering is a fault in the page read.
func answering(change func(*broker.Page)) *faulty {
	return &faulty{read: func(f *faulty, ctx context.Context, room string, q broker.Query) (broker.Page, error) {
		page, err := f.Broker.Read(ctx, room, q)
		change(&page)
		return page, err
	}}
}

// swallowing is a broker that keeps an error of Publish to itself.
func swallowing(is func(error) bool) *faulty {
	return &faulty{publish: func(f *faulty, ctx context.Context, room string, p broker.Publication) (broker.Result, error) {
		res, err := f.Broker.Publish(ctx, room, p)
		if is(err) {
			err = nil
		}
		return res, err
	}}
}

// newMemory makes the good broker; it ends with t whatever the faulty one around it does.
func newMemory(t testing.TB) *memory.Broker {
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	return b
}
