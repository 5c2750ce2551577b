package wire

import (
	"io"
	"strings"
	"testing"
)

// BenchmarkSend writes to a socket that is read as fast as it can be.
func BenchmarkSend(b *testing.B) {
	for _, bm := range []struct {
		name string
		size int
	}{{"100B", 100}, {"4KiB", 4 << 10}} {
		b.Run(bm.name, func(b *testing.B) {
			r := newRig(b, generous, tcpPair)
			drain(b, r)
			batch := r.batchOf(strings.Repeat("x", bm.size))
			b.SetBytes(int64(batch.Size()))
			b.ReportAllocs()
			for b.Loop() {
				_, retained, err := r.Send(batch, 0)
				if retained {
					err = r.Drained(b.Context())
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkQueue sends what cannot be written at once.
func BenchmarkQueue(b *testing.B) {
	for _, k := range kinds[2:] {
		b.Run(k.name, func(b *testing.B) {
			r := newRig(b, generous, k.connect)
			drain(b, r)
			batch := r.batchOf(strings.Repeat("x", 100))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := r.Send(batch, 0); err != nil {
					b.Fatal(err)
				}
				if err := r.Drained(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGather sends two frames with one write, to a socket that is read as fast as it can be.
func BenchmarkGather(b *testing.B) {
	for _, bm := range []struct {
		name string
		slow bool
	}{{"never slow", false}, {"once slow", true}} {
		b.Run(bm.name, func(b *testing.B) {
			r := newRig(b, generous, tcpPair)
			drain(b, r)
			if bm.slow {
				r.more()
			}
			one := oneFrame(strings.Repeat("x", 100))
			b.ReportAllocs()
			for b.Loop() {
				r.Gather()
				for range 2 {
					if err := r.SendOne(one); err != nil {
						b.Fatal(err)
					}
				}
				r.Release()
				if err := r.Drained(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func drain(b *testing.B, r *rig) {
	r.flushers.Go(func() { _, _ = io.Copy(io.Discard, r.peer) })
	b.Cleanup(func() { r.Close() })
}
