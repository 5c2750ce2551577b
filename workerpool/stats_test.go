package workerpool_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/workerpool"
)

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(2), workerpool.WithQueue(2), workerpool.WithKeyShare(2),
			workerpool.WithPanicHandler(func(*workerpool.PanicError) {}))
		if s := p.Stats(); s != (workerpool.Stats{Workers: 2}) || s.MeanRun() != 0 || s.MeanWait() != 0 {
			t.Errorf("a new pool: %+v", s)
		}
		must(t, p.Submit(t.Context(), 1, sleep(2*time.Second)))
		must(t, p.Submit(t.Context(), 2, sleep(4*time.Second)))
		must(t, p.Submit(t.Context(), 2, func(context.Context) { time.Sleep(3 * time.Second); panic("boom") }))
		must(t, p.Go(t.Context(), sleep(time.Second)))
		_ = busy(t, p.Submit(t.Context(), 2, nop))
		_ = busy(t, p.Submit(t.Context(), 3, nop))
		synctest.Wait()

		want := workerpool.Stats{Workers: 2, Goroutines: 2, Running: 2, Queued: 2, Keys: 2, Submitted: 4, Rejected: 2, RejectedShare: 1}
		if s := p.Stats(); s != want {
			t.Errorf("at the start:\n got %+v\nwant %+v", s, want)
		}
		time.Sleep(2500 * time.Millisecond)
		want = workerpool.Stats{
			Workers: 2, Goroutines: 2, Running: 2, Queued: 1, Keys: 1, Submitted: 4, Rejected: 2, RejectedShare: 1, Completed: 1,
			WaitTotal: 2 * time.Second, RunTotal: 2 * time.Second,
		}
		s := p.Stats()
		s.WaitTotal, s.RunTotal = ms(s.WaitTotal), ms(s.RunTotal)
		if s != want {
			t.Errorf("after 2.5 s:\n got %+v\nwant %+v", s, want)
		}
		must(t, p.Close(t.Context()))
		want = workerpool.Stats{
			Workers: 2, Submitted: 4, Rejected: 2, RejectedShare: 1, Completed: 4, Panics: 1,
			WaitTotal: 6 * time.Second, RunTotal: 10 * time.Second,
		}
		s = p.Stats()
		s.WaitTotal, s.RunTotal = ms(s.WaitTotal), ms(s.RunTotal)
		if s != want {
			t.Errorf("at the end:\n got %+v\nwant %+v", s, want)
		}
		if s.MeanWait() != 1500*time.Millisecond || s.MeanRun() != 2500*time.Millisecond {
			t.Errorf("means %v and %v, want 1.5s and 2.5s", s.MeanWait(), s.MeanRun())
		}
	})
}

// The sum holds at every moment, whatever goes on.
func TestStatsAddUp(t *testing.T) {
	p := newPool(t, workerpool.WithWorkers(3), workerpool.WithQueue(5), workerpool.WithKeyShare(3))
	var wg sync.WaitGroup
	var accepted, refused [4]int64
	for i := range accepted {
		wg.Go(func() {
			for n := range uint64(3000) {
				ctx, cancel := context.WithCancel(t.Context())
				var err error
				switch n % 3 {
				case 0:
					err = p.Go(ctx, nop)
				case 1:
					err = p.Submit(ctx, n%5, nop)
				case 2:
					go cancel()
					err = p.Do(ctx, n%5, func(context.Context) error { return nil })
				}
				cancel()
				switch {
				case isBusy(err):
					refused[i]++
				case n%3 != 2:
					accepted[i]++
				}
				s := p.Stats()
				checkSum(t, s)
				if s.Running > 3 || s.Running+s.Queued > 8 {
					t.Errorf("bounds are broken: %+v", s)
				}
			}
		})
	}
	wg.Wait()
	must(t, p.Close(t.Context()))
	var a, r int64
	for i := range accepted {
		a += accepted[i]
		r += refused[i]
	}
	if s := p.Stats(); s.Submitted < a || s.Rejected != r {
		t.Errorf("%+v, want at least %d submitted and exactly %d rejected", s, a, r)
	}
}
