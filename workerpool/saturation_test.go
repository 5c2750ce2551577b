package workerpool_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/workerpool"
)

func isBusy(err error) bool { return errors.Is(err, workerpool.ErrBusy) }

// busy checks that err is a BusyError and returns it.
func busy(t testing.TB, err error) *workerpool.BusyError {
	t.Helper()
	e, ok := errors.AsType[*workerpool.BusyError](err)
	if !ok || !isBusy(err) {
		t.Fatalf("got %v, want a BusyError that matches ErrBusy", err)
	}
	return e
}

func sleep(d time.Duration) func(context.Context) {
	return func(context.Context) { time.Sleep(d) }
}

func TestReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(2), workerpool.WithQueue(4), workerpool.WithKeyShare(3))
		ctx := t.Context()
		for range 3 {
			must(t, p.Submit(ctx, 1, sleep(time.Second)))
		}
		e := busy(t, p.Submit(ctx, 1, nop))
		if !e.Share || e.RetryAfter != time.Second || e.Err != nil {
			t.Errorf("full key: %+v, want the share, and a second where nothing is known", e)
		}
		for key := range uint64(3) {
			must(t, p.Submit(ctx, 2+key, sleep(time.Second)))
		}
		if e := busy(t, p.Submit(ctx, 9, nop)); e.Share {
			t.Errorf("full pool: %+v, want not the share", e)
		}
		if e := busy(t, p.Go(ctx, nop)); e.Share {
			t.Errorf("full pool: %+v, want not the share", e)
		}
		if s := p.Stats(); s.Submitted != 6 || s.Rejected != 3 {
			t.Errorf("stats %+v, want 6 submitted, 3 rejected", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		must(t, p.Submit(ctx, 9, nop))
	})
}

// With every task taking a second, the estimate is exact.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(2), workerpool.WithQueue(4), workerpool.WithKeyShare(3))
		ctx := t.Context()
		must(t, p.Submit(ctx, 1, sleep(time.Second)))
		time.Sleep(time.Second)
		synctest.Wait()

		for range 3 {
			must(t, p.Submit(ctx, 1, sleep(time.Second)))
		}
		if e := busy(t, p.Submit(ctx, 1, nop)); !e.Share || e.RetryAfter != 3*time.Second {
			t.Errorf("key with 3 tasks of its own: %+v, want 3s", e)
		}
		for range 3 {
			must(t, p.Go(ctx, sleep(time.Second)))
		}
		if e := busy(t, p.Submit(ctx, 2, nop)); e.Share || e.RetryAfter != 3*time.Second {
			t.Errorf("pool with 6 tasks on 2 workers: %+v, want 3s", e)
		}
		// Two run and two queues wait: a round takes two seconds.
		if e := busy(t, p.Submit(ctx, 1, nop)); !e.Share || e.RetryAfter != 6*time.Second {
			t.Errorf("key with 3 tasks among 4 queues: %+v, want 6s", e)
		}
	})
}

func TestRetryAfterIsPositive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // tasks take no time at all
		p := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(0))
		must(t, p.Submit(t.Context(), 1, nop))
		synctest.Wait()
		release := hold(t, p, 1)
		defer release()
		if e := busy(t, p.Submit(t.Context(), 1, nop)); e.RetryAfter != time.Millisecond {
			t.Errorf("RetryAfter = %v, want 1ms", e.RetryAfter)
		}
	})
}

// A full key holds up nobody else.
func TestShareBindsItsKeyOnly(t *testing.T) {
	p := newPool(t, workerpool.WithWorkers(1), workerpool.WithKeyShare(1))
	release := hold(t, p, 1)
	if e := busy(t, p.Submit(t.Context(), 1, nop)); !e.Share {
		t.Errorf("got %+v, want the share", e)
	}
	must(t, p.Submit(t.Context(), 2, nop))
	must(t, p.Go(t.Context(), nop))
	release()
}

// Those who wait for the same thing are served as they came, also behind those who wait for the pool.
func TestBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(1),
			workerpool.WithKeyShare(1), workerpool.WithSaturation(workerpool.Block()))
		var order []int
		submit := func(key uint64, i int) {
			err := p.Submit(t.Context(), key, func(context.Context) {
				order = append(order, i)
				time.Sleep(time.Second)
			})
			if err != nil {
				t.Errorf("Submit %d: %v", i, err)
			}
		}
		submit(1, 1)
		submit(2, 2)
		synctest.Wait()
		for i, key := range []uint64{1, 3, 1, 4, 2} { // waits for: share, pool, share, pool, share
			go submit(key, 3+i)
			synctest.Wait()
		}
		if s := p.Stats(); s.Blocked != 5 || s.Rejected != 0 || s.Submitted != 2 {
			t.Errorf("stats %+v, want 5 blocked, 2 submitted", s)
		}
		if n := p.Pending(1); n != 1 {
			t.Errorf("Pending = %d, want 1: those who wait do not count", n)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		// 3 gets its share when 1 ends and stands behind 4 and 6.
		if want := []int{1, 2, 4, 6, 3, 7, 5}; !slices.Equal(order, want) {
			t.Errorf("ran %v, want %v", order, want)
		}
	})
}

func TestBlockEndsWithContext(t *testing.T) {
	for _, share := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(0),
				workerpool.WithSaturation(workerpool.Block()))
			release := hold(t, p, 1)
			defer release()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			key := uint64(2)
			if share {
				key = 1
			}
			start := time.Now()
			err := p.Submit(ctx, key, nop)
			e := busy(t, err)
			if e.Share != share || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
				t.Errorf("after %v: %+v, want after 3s, share %t", time.Since(start), e, share)
			}
			if s := p.Stats(); s.Blocked != 0 || s.Rejected != 1 || s.Submitted != 1 {
				t.Errorf("stats %+v", s)
			}
			if err := p.Submit(ctx, key, nop); err != context.DeadlineExceeded {
				t.Errorf("with a context that is over: %v", err)
			}
		})
	}
}

// A waiter that gives up its place in a share passes it on: the next one of the key must not depend
// on a task of the key, for there is none.
func TestBlockPassesPlaceOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(0),
			workerpool.WithKeyShare(1), workerpool.WithSaturation(workerpool.Block()))
		release := hold(t, p, 1)
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		go func() { errs <- p.Submit(ctx, 2, nop) }() // has the share of 2, waits for the pool
		synctest.Wait()
		go func() { errs <- p.Submit(t.Context(), 2, nop) }() // waits for the share of 2
		synctest.Wait()
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("first: %v, want Canceled", err)
		}
		release()
		if err := <-errs; err != nil {
			t.Errorf("second: %v", err)
		}
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(0),
			workerpool.WithSaturation(workerpool.Deadline(2*time.Second)))
		start := time.Now()
		must(t, p.Submit(t.Context(), 1, sleep(time.Second)))
		must(t, p.Submit(t.Context(), 1, sleep(5*time.Second)))
		if took := time.Since(start); took != time.Second {
			t.Errorf("waited %v for space, want 1s", took)
		}
		if e := busy(t, p.Go(t.Context(), nop)); e.Err != nil || e.Share {
			t.Errorf("got %+v", e)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("gave up at %v, want 3s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Go(ctx, nop); !isBusy(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("context shorter than the deadline: %v", err)
		}
	})
}
