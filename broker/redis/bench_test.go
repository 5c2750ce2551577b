package redis_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// counter is a receiver that does nothing else.
type counter struct{ n atomic.Int64 }

func (c *counter) Deliver(_ string, ms []broker.Message)     { c.n.Add(int64(len(ms))) }
func (*counter) Gap(string, broker.Position)                 {}
func (*counter) PresenceChanged(string, broker.Member, bool) {}
func (*counter) Command(string, []byte)                      {}
func (*counter) StateChanged(broker.State)                   {}

func benchmarkPublish(b *testing.B, r broker.Retention) {
	s := redistest.Start(b)
	pub := newBroker(b, []string{s.Addr()})
	if err := pub.Start(b.Context(), "", nil); err != nil {
		b.Fatal(err)
	}
	closeWithTest(b, pub)
	p := broker.Publication{Data: make([]byte, 128), Retention: r}
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := pub.Publish(context.Background(), "room", p); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkPublish(b *testing.B) { benchmarkPublish(b, broker.Retention{}) }

func BenchmarkPublishHistory(b *testing.B) {
	benchmarkPublish(b, broker.Retention{Size: 100, TTL: time.Minute})
}

// BenchmarkReceive has the server send a thousand messages for each command, so that receiving is nearly all
// that is measured.
func BenchmarkReceive(b *testing.B) {
	s := redistest.Start(b)
	sub, c := newBroker(b, []string{s.Addr()}), new(counter)
	startWith(b, sub, c)
	if err := sub.Subscribe(b.Context(), "room"); err != nil {
		b.Fatal(err)
	}
	script := s.Do("SCRIPT", "LOAD", "for i = 1, 1000 do redis.call('PUBLISH', KEYS[1], ARGV[1]) end")
	payload := "\x01\x00" + string(make([]byte, 128))
	b.ReportAllocs()
	var want int64
	for b.Loop() {
		if want++; want%1000 == 1 {
			s.Do("EVALSHA", script, "1", "hubkit:{room}", payload)
		}
	}
	for c.n.Load() < want {
		time.Sleep(100 * time.Microsecond)
	}
}
