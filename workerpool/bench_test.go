package workerpool_test

import (
	"context"
	"sync"
	"testing"

	"github.com/panjf2000/ants/v2"

	"github.com/gohubkit/hubkit/workerpool"
)

// The benchmarks with the same name measure the same work: empty tasks, submitted by one goroutine
// that waits for space, and run to their end. ants has no queue, order, share or figures.

func benchmarkPool(b *testing.B, keys uint64) {
	p, err := workerpool.New(workerpool.WithWorkers(2), workerpool.WithSaturation(workerpool.Block()))
	must(b, err)
	ctx := context.Background()
	var wg sync.WaitGroup
	task := func(context.Context) { wg.Done() }
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		wg.Add(1)
		if keys == 0 {
			err = p.Go(ctx, task)
		} else {
			i++
			err = p.Submit(ctx, i%keys, task)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	wg.Wait()
	b.StopTimer()
	must(b, p.Close(ctx))
}

func BenchmarkSubmit(b *testing.B) {
	b.Run("pool=hubkit/keyless", func(b *testing.B) { benchmarkPool(b, 0) })
	b.Run("pool=hubkit/keys=1", func(b *testing.B) { benchmarkPool(b, 1) })
	b.Run("pool=hubkit/keys=1000", func(b *testing.B) { benchmarkPool(b, 1000) })
	b.Run("pool=ants", func(b *testing.B) {
		p, err := ants.NewPool(2)
		must(b, err)
		var wg sync.WaitGroup
		task := func() { wg.Done() }
		b.ReportAllocs()
		for b.Loop() {
			wg.Add(1)
			if err := p.Submit(task); err != nil {
				b.Fatal(err)
			}
		}
		wg.Wait()
		b.StopTimer()
		must(b, p.ReleaseContext(context.Background()))
	})
	b.Run("pool=goroutines", func(b *testing.B) {
		var wg sync.WaitGroup
		b.ReportAllocs()
		for b.Loop() {
			wg.Go(func() {})
		}
		wg.Wait()
	})
}

// BenchmarkDo is the time from handing over a task to having its result.
func BenchmarkDo(b *testing.B) {
	p := newPool(b)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		must(b, p.Do(ctx, 1, func(context.Context) error { return nil }))
	}
}

// BenchmarkReject is what a refusal costs, which is what a flood consists of.
func BenchmarkReject(b *testing.B) {
	p := newPool(b, workerpool.WithWorkers(1), workerpool.WithQueue(0))
	release := hold(b, p, 1)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Submit(ctx, 2, nop); err == nil {
			b.Fatal("accepted")
		}
	}
	release()
}

// BenchmarkSubmitIfBusy is what every light message pays: with nothing in the pool for the key's place
// in the filter, and with something of another key that shares the place.
func BenchmarkSubmitIfBusy(b *testing.B) {
	for _, bench := range []struct {
		name string
		same bool
	}{{"clear", false}, {"locked", true}} {
		b.Run(bench.name, func(b *testing.B) {
			p := newPool(b, workerpool.WithWorkers(1))
			const key = 1
			held := uint64(key + 1)
			for workerpool.SamePlace(p, key, held) != bench.same {
				held++
			}
			release := hold(b, p, held)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if ok, err := p.SubmitIfBusy(context.Background(), key, nop); ok || err != nil {
						b.Error(ok, err)
					}
				}
			})
			release()
		})
	}
}
