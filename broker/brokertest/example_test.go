package brokertest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/memory"
)

// In the tests of a broker: func TestConformance(t *testing.T) { ... }
func ExampleRun() {
	testConformance := func(t *testing.T) {
		brokertest.Run(t, func(testing.TB) brokertest.World {
			return brokertest.World{
				Nodes: 1,
				NewNode: func(t testing.TB) broker.Broker {
					b, err := memory.New()
					if err != nil {
						t.Fatal(err)
					}
					return b
				},
			}
		})
	}
	_ = testConformance
}

func ExampleRecorder() {
	ctx := context.Background()
	b, err := memory.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	rec := brokertest.NewRecorder()
	_ = b.Start(ctx, "node", rec)
	_ = b.Subscribe(ctx, "news")
	_, _ = b.Publish(ctx, "news", broker.Publication{Data: []byte("hello")})
	_ = rec.Wait(ctx, func(r *brokertest.Recorder) bool { return len(r.Messages("news")) == 1 })
	_ = b.Close(ctx)
	rec.Seal()
	fmt.Printf("%s, faults: %v\n", rec.Messages("news")[0].Data, rec.Err())
	// Output: hello, faults: <nil>
}
