package memory_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
)

// printer is a receiver that prints messages.
type printer struct{ deaf }

func (printer) Deliver(room string, ms []broker.Message) {
	for _, m := range ms {
		fmt.Printf("%s: %s\n", room, m.Data)
	}
}

func Example() {
	ctx := context.Background()
	b, err := memory.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := b.Start(ctx, "node-1", printer{}); err != nil {
		fmt.Println(err)
		return
	}
	_ = b.Subscribe(ctx, "news")
	_, _ = b.Publish(ctx, "news", broker.Publication{Data: []byte("hello")})
	_, _ = b.Publish(ctx, "weather", broker.Publication{Data: []byte("nobody listens")})
	_ = b.Close(ctx)
	// Output: news: hello
}

func ExampleBroker_Read() {
	ctx := context.Background()
	b, err := memory.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = b.Start(ctx, "node-1", printer{})
	hour := broker.Retention{Size: 3, TTL: time.Hour}
	var second broker.Position
	for i := 1; i <= 4; i++ {
		res, _ := b.Publish(ctx, "news", broker.Publication{Data: fmt.Append(nil, i), Retention: hour})
		if i == 2 {
			second = res.Position
		}
	}
	page, _ := b.Read(ctx, "news", broker.Query{Since: second, Retention: hour})
	for _, m := range page.Messages {
		fmt.Printf("%d: %s\n", m.Position.Offset, m.Data)
	}
	page, _ = b.Read(ctx, "news", broker.Query{Since: broker.Position{Epoch: "lost", Offset: 2}, Retention: hour})
	fmt.Println("gap:", page.Gap)
	_ = b.Close(ctx)
	// Output:
	// 3: 3
	// 4: 4
	// gap: true
}

// A service that is replaced by its next version hands its history over.
func ExampleBroker_Snapshot() {
	ctx := context.Background()
	hour := broker.Retention{Size: 100, TTL: time.Hour}
	var file bytes.Buffer

	old, err := memory.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = old.Start(ctx, "node-1", printer{})
	res, _ := old.Publish(ctx, "news", broker.Publication{Data: []byte("before"), Retention: hour})
	_ = old.Close(ctx)
	if err := old.Snapshot(&file); err != nil {
		fmt.Println(err)
	}

	next, err := memory.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := next.Restore(&file); err != nil {
		fmt.Println(err) // start empty: clients are told of a gap
	}
	_ = next.Start(ctx, "node-2", printer{})
	_, _ = next.Publish(ctx, "news", broker.Publication{Data: []byte("after"), Retention: hour})
	page, _ := next.Read(ctx, "news", broker.Query{Since: res.Position, Retention: hour})
	fmt.Printf("gap: %v, missed: %s\n", page.Gap, page.Messages[0].Data)
	_ = next.Close(ctx)
	// Output: gap: false, missed: after
}
