package workerpool_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/workerpool"
)

// Tasks of one key run one at a time in the order of submission. The slices are written without a
// lock: the race detector sees it if two tasks of a key overlap, or one does not see the other's work.
func TestKeyOrder(t *testing.T) {
	const producers, keysEach, tasksEach = 8, 25, 2000
	p := newPool(t, workerpool.WithWorkers(4), workerpool.WithQueue(64),
		workerpool.WithKeyShare(5), workerpool.WithSaturation(workerpool.Block()))
	logs := make([][]int, producers*keysEach)
	var wg sync.WaitGroup
	for producer := range producers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(producer)))
			for i := range tasksEach {
				key := producer*keysEach + rnd.IntN(keysEach)
				err := p.Submit(t.Context(), uint64(key), func(context.Context) {
					logs[key] = append(logs[key], i)
				})
				if err != nil {
					t.Errorf("Submit: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	must(t, p.Close(t.Context()))

	total := 0
	for key, log := range logs {
		total += len(log)
		if !slices.IsSorted(log) {
			t.Errorf("key %d ran in the order %v", key, log)
		}
	}
	if total != producers*tasksEach {
		t.Errorf("%d tasks ran, want %d", total, producers*tasksEach)
	}
}

// What SubmitIfBusy does not queue runs inline, and still everything of a key runs in order.
func TestSubmitIfBusyKeepsOrder(t *testing.T) {
	const keys, tasks = 16, 3000
	p := newPool(t, workerpool.WithWorkers(3), workerpool.WithSaturation(workerpool.Block()))
	var queued, inline atomic.Int64
	var wg sync.WaitGroup
	for key := range uint64(keys) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(2, key))
			var log []int
			for i := range tasks {
				task := func(context.Context) { log = append(log, i) }
				if rnd.IntN(10) == 0 {
					if err := p.Submit(t.Context(), key, task); err != nil {
						t.Errorf("Submit: %v", err)
					}
					continue
				}
				switch ok, err := p.SubmitIfBusy(t.Context(), key, task); {
				case err != nil:
					t.Errorf("SubmitIfBusy: %v", err)
				case ok:
					queued.Add(1)
				default:
					inline.Add(1)
					task(t.Context())
				}
			}
			if err := p.Do(t.Context(), key, func(context.Context) error { return nil }); err != nil {
				t.Errorf("Do: %v", err)
			}
			if len(log) != tasks || !slices.IsSorted(log) {
				t.Errorf("key %d: %d of %d ran, in order: %t", key, len(log), tasks, slices.IsSorted(log))
			}
		})
	}
	wg.Wait()
	if queued.Load() == 0 || inline.Load() == 0 {
		t.Errorf("queued %d and ran %d inline: the test does not cover both", queued.Load(), inline.Load())
	}
}

func TestSubmitIfBusy(t *testing.T) {
	p := newPool(t, workerpool.WithWorkers(1), workerpool.WithKeyShare(2))
	const key = 7
	ifBusy := func() (bool, error) { return p.SubmitIfBusy(t.Context(), key, nop) }

	if ok, err := ifBusy(); ok || err != nil {
		t.Errorf("idle key: %t, %v, want false, nil", ok, err)
	}
	release := hold(t, p, key)
	if n := p.Pending(key); n != 1 {
		t.Errorf("Pending = %d with one running, want 1", n)
	}
	// A key that shares its place in the filter must not count as busy.
	for other := range uint64(1000) {
		if ok, err := p.SubmitIfBusy(t.Context(), other+key+1, nop); ok || err != nil {
			t.Fatalf("idle key %d: %t, %v, want false, nil", other, ok, err)
		}
		if n := p.Pending(other + key + 1); n != 0 {
			t.Fatalf("Pending of an idle key = %d", n)
		}
	}
	if ok, err := ifBusy(); !ok || err != nil {
		t.Errorf("running key: %t, %v, want true, nil", ok, err)
	}
	if n := p.Pending(key); n != 2 {
		t.Errorf("Pending = %d with one running and one queued, want 2", n)
	}
	if ok, err := ifBusy(); ok || !isBusy(err) {
		t.Errorf("full key: %t, %v, want false, ErrBusy", ok, err)
	}
	release()
	must(t, p.Do(t.Context(), key+1, func(context.Context) error { return nil }))
	must(t, p.Close(t.Context()))
	if ok, err := ifBusy(); ok || err != nil {
		t.Errorf("drained key: %t, %v, want false, nil", ok, err)
	}
}

// A key with many tasks and a key with one take turns.
func TestRoundRobin(t *testing.T) {
	p := newPool(t, workerpool.WithWorkers(1))
	release := hold(t, p, 0)
	var order []string
	submit := func(key uint64, name string) {
		must(t, p.Submit(t.Context(), key, func(context.Context) { order = append(order, name) }))
	}
	for _, name := range []string{"a1", "a2", "a3", "a4"} {
		submit(1, name)
	}
	submit(2, "b1")
	submit(3, "c1")
	submit(3, "c2")
	must(t, p.Go(t.Context(), func(context.Context) { order = append(order, "x") }))
	must(t, p.Go(t.Context(), func(context.Context) { order = append(order, "y") }))
	release()
	must(t, p.Close(t.Context()))
	want := []string{"a1", "b1", "c1", "x", "y", "a2", "c2", "a3", "a4"}
	if !slices.Equal(order, want) {
		t.Errorf("ran %v, want %v", order, want)
	}
}

// Different keys run at once, on all workers and no more; one key never runs twice at once.
func TestParallelism(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(3))
		var now, most int
		var mu sync.Mutex
		task := func(context.Context) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
		}
		start := time.Now()
		for i := range uint64(9) {
			must(t, p.Submit(t.Context(), i, task))
		}
		must(t, p.Close(t.Context()))
		if took := ms(time.Since(start)); most != 3 || took != 3*time.Second {
			t.Errorf("9 keys on 3 workers: %d at once, took %v, want 3 and 3s", most, took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(3))
		start := time.Now()
		for range 4 {
			must(t, p.Submit(t.Context(), 1, func(context.Context) { time.Sleep(time.Second) }))
		}
		must(t, p.Close(t.Context()))
		if took := ms(time.Since(start)); took != 4*time.Second {
			t.Errorf("4 tasks of one key took %v, want 4s", took)
		}
	})
}

// A worker rests when it has been at it for a while, and not otherwise.
func TestRest(t *testing.T) {
	const after, rest = workerpool.RestAfter, workerpool.RestTime
	tests := []struct {
		name      string
		tasks     int
		each      time.Duration
		wantRests time.Duration
	}{
		{"long tasks", 3, 5 * after, 2}, // not after the last one
		{"short tasks", 30, after / 10, 2},
		{"little to do", 5, after / 10, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, workerpool.WithWorkers(1))
				start := time.Now()
				for i := range test.tasks {
					must(t, p.Submit(t.Context(), uint64(i), sleep(test.each)))
				}
				must(t, p.Close(t.Context()))
				want := time.Duration(test.tasks)*test.each + test.wantRests*rest
				if took := time.Since(start); took != want {
					t.Errorf("took %v, want %v", took, want)
				}
			})
		})
	}
}

// The pool's own workers may submit.
func TestSubmitFromTask(t *testing.T) {
	p := newPool(t, workerpool.WithWorkers(1))
	ran := make(chan string, 2)
	must(t, p.Submit(t.Context(), 1, func(ctx context.Context) {
		if err := p.Submit(ctx, 1, func(context.Context) { ran <- "inner" }); err != nil {
			t.Errorf("Submit: %v", err)
		}
		ran <- "outer"
	}))
	if a, b := <-ran, <-ran; a != "outer" || b != "inner" {
		t.Errorf("ran %s, %s", a, b)
	}
}
