package workerpool_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/workerpool"
)

// TestWorkersAreReused: work that comes and goes, so that workers run out of tasks and are wanted again all the time, never
// has more goroutines than workers, and every task runs.
func TestWorkersAreReused(t *testing.T) {
	for _, workers := range []int{1, 2, 4} {
		const producers, tasks = 4, 5000
		p := newPool(t, workerpool.WithWorkers(workers))
		var ran, most atomic.Int64
		var wg sync.WaitGroup
		for key := range uint64(producers) {
			wg.Go(func() {
				for range tasks {
					err := p.Do(t.Context(), key, func(context.Context) error {
						ran.Add(1)
						return nil
					})
					if err != nil {
						t.Errorf("Do: %v", err)
						return
					}
					if n := int64(p.Stats().Goroutines); n > most.Load() {
						most.Store(n)
					}
				}
			})
		}
		wg.Wait()
		if n := most.Load(); n < 1 || n > int64(workers) {
			t.Errorf("%d workers had %d goroutines", workers, n)
		}
		if n := ran.Load(); n != producers*tasks {
			t.Errorf("%d tasks ran, want %d", n, producers*tasks)
		}
	}
}

// TestGoexitOnEveryWorker: a worker that ends is replaced, if it was the only one, too.
func TestGoexitOnEveryWorker(t *testing.T) {
	for _, workers := range []int{1, 3} {
		p := newPool(t, workerpool.WithWorkers(workers), workerpool.WithSaturation(workerpool.Block()),
			workerpool.WithPanicHandler(func(*workerpool.PanicError) {}))
		for i := range 1000 {
			must(t, p.Submit(t.Context(), uint64(i%7), func(context.Context) { runtime.Goexit() }))
		}
		must(t, p.Close(t.Context()))
		if s := p.Stats(); s.Completed != 1000 || s.Panics != 1000 || s.Goroutines != 0 {
			t.Errorf("%d workers: %+v", workers, s)
		}
	}
}
