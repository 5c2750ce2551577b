package redis_test

import (
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

func world(addrs []string, forget func(testing.TB), opts ...redis.Option) brokertest.World {
	return brokertest.World{
		Nodes:    3,
		Forget:   forget,
		Deadline: 20 * time.Second,
		NewNode:  func(t testing.TB) broker.Broker { return newBroker(t, addrs, opts...) },
	}
}

func TestConformanceStandalone(t *testing.T) {
	s := redistest.Start(t)
	brokertest.Run(t, func(testing.TB) brokertest.World {
		return world([]string{s.Addr()}, func(testing.TB) { s.Forget() })
	})
}

func TestConformanceSentinel(t *testing.T) {
	s := redistest.StartSentinels(t)
	brokertest.Run(t, func(testing.TB) brokertest.World {
		flush := func(testing.TB) { s.Master().Do("FLUSHALL") }
		return world(s.Addrs(), flush, redis.WithSentinel(redistest.MasterName))
	})
}

func TestConformanceCluster(t *testing.T) {
	c := redistest.StartCluster(t, false)
	brokertest.Run(t, func(testing.TB) brokertest.World {
		flush := func(testing.TB) {
			for _, s := range c.Servers {
				s.Do("FLUSHALL")
			}
		}
		return world(c.Addrs(), flush)
	})
}
