package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
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
