package wire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// BenchmarkOverflow is one message more for a connection that reads nothing and whose backlog is full.
func BenchmarkOverflow(b *testing.B) {
	for _, room := range []string{"oldest", "newest", "conflate", "replay"} {
		b.Run(room, func(b *testing.B) {
			r := stalledRig(b, 256, 1<<20)
			rooms, seq := make(sources), uint64(0)
			for i := range 300 {
				if _, _, err := r.Send(rooms.batch(room, &seq, fmt.Sprint(i%200, "=", strings.Repeat("x", 100))), 0); err != nil {
					b.Fatal(err)
				}
			}
			var next [2]*frame.Batch // in turn: a batch is sent once
			for i := range next {
				next[i] = rooms.batch(room, &seq, "7="+strings.Repeat("x", 100))
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i++
				if _, _, err := r.Send(next[i%2], 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
