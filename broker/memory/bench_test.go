package memory_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
)

// deaf is a receiver that does nothing.
type deaf struct{}

func (deaf) Deliver(string, []broker.Message)            {}
func (deaf) Gap(string, broker.Position)                 {}
func (deaf) PresenceChanged(string, broker.Member, bool) {}
func (deaf) Command(string, []byte)                      {}
func (deaf) StateChanged(broker.State)                   {}

func BenchmarkPublish(b *testing.B) {
	data := []byte(`{"text":"hello, world"}`)
	for _, c := range []struct {
		name       string
		subscribed bool
		p          broker.Publication
	}{
		{"plain", true, broker.Publication{Data: data}},
		{"nobody", false, broker.Publication{Data: data}},
		{"history", true, broker.Publication{Data: data, Retention: broker.Retention{Size: 1000, TTL: time.Minute}}},
		{"duplicate", true, broker.Publication{Data: data, IdempotencyKey: "key", IdempotencyTTL: time.Hour}},
	} {
		br, err := memory.New()
		if err != nil {
			b.Fatal(err)
		}
		begin(b, br, deaf{})
		rooms := make([]string, 1024)
		for i := range rooms {
			rooms[i] = fmt.Sprintf("chat:%04d", i)
			if c.subscribed {
				if err := br.Subscribe(b.Context(), rooms[i]); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := br.Publish(b.Context(), rooms[i&1023], c.p); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"-parallel", func(b *testing.B) {
			b.ReportAllocs()
			var from atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for i := from.Add(37); pb.Next(); i++ {
					if _, err := br.Publish(b.Context(), rooms[i&1023], c.p); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkRead(b *testing.B) {
	br, err := memory.New()
	if err != nil {
		b.Fatal(err)
	}
	begin(b, br, deaf{})
	var pos broker.Position
	for range 100 {
		pos = publish(b, br, "room", store("hello")).Position
	}
	pos.Offset -= 10
	b.ReportAllocs()
	for b.Loop() {
		if _, err := br.Read(b.Context(), "room", broker.Query{Since: pos, Retention: kept}); err != nil {
			b.Fatal(err)
		}
	}
}
