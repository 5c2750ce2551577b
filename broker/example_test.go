package broker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
)

// node is a receiver that prints what it is told.
type node struct{}

func (node) Deliver(room string, ms []broker.Message) {
	for _, m := range ms {
		fmt.Printf("%s: %s\n", room, m.Data)
	}
}

func (node) Gap(room string, _ broker.Position) { fmt.Println(room, "missed messages") }

func (node) PresenceChanged(room string, m broker.Member, joined bool) {
	fmt.Println(m.User, "in", room, joined)
}

func (node) Command(from string, payload []byte) { fmt.Printf("%s: %s\n", from, payload) }

func (node) StateChanged(s broker.State) { fmt.Println("the others are", s) }

// What a hub does with a broker, whichever it is.
func Example() {
	ctx := context.Background()
	var b broker.Broker
	b, err := memory.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := b.Start(ctx, "node-1", node{}); err != nil {
		fmt.Println(err)
		return
	}
	if err := b.Subscribe(ctx, "news"); err != nil {
		fmt.Println(err)
	}
	if p, ok := b.(broker.Presence); ok {
		_ = p.Enter(ctx, "news", broker.Member{Conn: "1", User: "ann"})
	}
	_, err = b.Publish(ctx, "news", broker.Publication{Data: []byte("hello")})
	if errors.Is(err, broker.ErrUnavailable) {
		fmt.Println("try again later")
	}
	_ = b.Close(ctx)
	// Output:
	// ann in news true
	// news: hello
}

// A client that was away reads on from where it was.
func ExampleHistory() {
	ctx := context.Background()
	b, err := memory.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = b.Start(ctx, "node-1", node{})
	var h broker.History = b
	retention := broker.Retention{Size: 100, TTL: 10 * time.Minute}

	joined, _ := h.Read(ctx, "news", broker.Query{Retention: retention})
	_, _ = b.Publish(ctx, "news", broker.Publication{Data: []byte("one"), Retention: retention})
	_, _ = b.Publish(ctx, "news", broker.Publication{Data: []byte("two"), Retention: retention})
	missed, _ := h.Read(ctx, "news", broker.Query{Since: joined.Top, Retention: retention})
	for _, m := range missed.Messages {
		fmt.Printf("%d %s\n", m.Position.Offset, m.Data)
	}
	_ = b.Close(ctx)
	// Output:
	// 1 one
	// 2 two
}

// A retried publication is stored once.
func ExamplePublication_idempotencyKey() {
	ctx := context.Background()
	b, err := memory.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = b.Start(ctx, "node-1", node{})
	p := broker.Publication{
		Data:           []byte(`{"paid":12}`),
		IdempotencyKey: "invoice-7",
		Retention:      broker.Retention{Size: 100, TTL: 10 * time.Minute},
	}
	for range 2 {
		res, _ := b.Publish(ctx, "invoices", p)
		fmt.Println(res.Position.Offset, res.Duplicate)
	}
	_ = b.Close(ctx)
	// Output:
	// 1 false
	// 1 true
}

func ExampleCheckRoom() {
	fmt.Println(broker.CheckRoom("chat:42"))
	fmt.Println(broker.CheckRoom(""))
	// Output:
	// <nil>
	// broker: invalid room name: it is empty
}
