package workerpool_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/workerpool"
)

// What was accepted runs to its end before Close returns. That no goroutine is left is checked by
// synctest, which waits for all of them.
func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(2))
		ran := make(chan struct{}, 100)
		for i := range uint64(20) {
			must(t, p.Submit(t.Context(), i%3, func(ctx context.Context) {
				time.Sleep(time.Second)
				if ctx.Err() != nil {
					t.Error("the context ended in an orderly close")
				}
				ran <- struct{}{}
			}))
		}
		must(t, p.Close(t.Context()))
		if len(ran) != 20 {
			t.Errorf("%d tasks ran, want 20", len(ran))
		}
		must(t, p.Close(t.Context()))
	})
}

func TestClosed(t *testing.T) {
	p := newPool(t)
	must(t, p.Close(t.Context()))
	for name, err := range map[string]error{
		"Submit": p.Submit(t.Context(), 1, nop),
		"Go":     p.Go(t.Context(), nop),
		"Do":     p.Do(t.Context(), 1, func(context.Context) error { return nil }),
	} {
		if !errors.Is(err, workerpool.ErrClosed) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
}

// A key that is still busy refuses after Close; it does not send the caller to run out of turn.
func TestSubmitIfBusyWhileClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t)
		release := hold(t, p, 1)
		go p.Close(t.Context()) //nolint:errcheck // the cleanup looks at it
		synctest.Wait()
		if ok, err := p.SubmitIfBusy(t.Context(), 1, nop); ok || !errors.Is(err, workerpool.ErrClosed) {
			t.Errorf("got %t, %v, want false, ErrClosed", ok, err)
		}
		release()
	})
}

func TestCloseSendsWaitersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(0), workerpool.WithSaturation(workerpool.Block()))
		release := hold(t, p, 1)
		errs := make(chan error, 6)
		for i := range uint64(6) {
			go func() { errs <- p.Submit(t.Context(), i%3, nop) }()
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		closed := make(chan error)
		go func() { closed <- p.Close(ctx) }()
		for range 6 {
			if err := <-errs; !errors.Is(err, workerpool.ErrClosed) {
				t.Errorf("waiter: %v, want ErrClosed", err)
			}
		}
		release()
		must(t, <-closed)
		cancel()
	})
}

func closeError(t *testing.T, err error, dropped, running int) {
	t.Helper()
	e, ok := errors.AsType[*workerpool.CloseError](err)
	if !ok || e.Dropped != dropped || e.Running != running || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v, want %d dropped, %d running, deadline exceeded", err, dropped, running)
	}
}

// When ctx ends, Close drops what has not started and leaves behind what does not return.
func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := workerpool.New(workerpool.WithWorkers(3))
		must(t, err)
		stuck := newGate()
		must(t, p.Submit(t.Context(), 1, stuck.task))
		heeded := make(chan error, 1)
		must(t, p.Submit(t.Context(), 2, func(ctx context.Context) {
			<-ctx.Done()
			heeded <- context.Cause(ctx)
		}))
		must(t, p.Submit(t.Context(), 3, sleep(time.Second)))
		for range 4 {
			must(t, p.Submit(t.Context(), 1, func(context.Context) { t.Error("a dropped task ran") }))
		}
		dropped := make(chan error, 1)
		go func() {
			dropped <- p.Do(t.Context(), 2, func(context.Context) error { t.Error("a dropped task ran"); return nil })
		}()
		synctest.Wait()

		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		closeError(t, p.Close(ctx), 5, 2)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("Close took %v, want 5s", took)
		}
		if err := <-heeded; !errors.Is(err, workerpool.ErrClosed) {
			t.Errorf("the task's context ended with %v, want ErrClosed", err)
		}
		if err := <-dropped; !errors.Is(err, workerpool.ErrClosed) {
			t.Errorf("Do of a dropped task: %v, want ErrClosed", err)
		}
		synctest.Wait()
		closeError(t, p.Close(ctx), 5, 1)

		again := make(chan error)
		go func() { again <- p.Close(context.Background()) }()
		synctest.Wait()
		stuck.open()
		closeError(t, <-again, 5, 0)
		checkEmpty(t, p)
		if s := p.Stats(); s.Completed != 3 || s.Dropped != 5 {
			t.Errorf("stats %+v, want 3 completed, 5 dropped", s)
		}
	})
}

// A task that merely came late is no loss: the next Close says so.
func TestCloseAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t)
		release := hold(t, p, 1)
		ctx, cancel := context.WithDeadline(t.Context(), time.Now())
		defer cancel()
		closeError(t, p.Close(ctx), 0, 1)
		release()
		must(t, p.Close(t.Context()))
	})
}

// An idle pool closes without time, and with a context that is over.
func TestCloseIdle(t *testing.T) {
	for range 50 {
		p := newPool(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		must(t, p.Close(ctx))
	}
}

// Close, submitters and workers race; whatever the outcome, every task is accounted for.
func TestCloseRace(t *testing.T) {
	for i := range 50 {
		p, err := workerpool.New(workerpool.WithWorkers(2), workerpool.WithQueue(3),
			workerpool.WithKeyShare(2), workerpool.WithSaturation(workerpool.Block()))
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for key := range uint64(6) {
			wg.Go(func() {
				for {
					err := p.Submit(ctx, key/2, nop)
					if errors.Is(err, workerpool.ErrClosed) || ctx.Err() != nil {
						return
					}
				}
			})
		}
		for range 2 {
			wg.Go(func() {
				if i%2 == 0 {
					cancel()
				}
				err := p.Close(ctx)
				if e, ok := errors.AsType[*workerpool.CloseError](err); err != nil && !ok {
					t.Errorf("Close: %v, %v", err, e)
				}
			})
		}
		wg.Wait()
		cancel()
		err = p.Close(context.Background())
		dropped := 0
		if e, ok := errors.AsType[*workerpool.CloseError](err); ok {
			dropped = e.Dropped
		}
		if s := p.Stats(); int(s.Dropped) != dropped {
			t.Errorf("Close: %v, but %d were dropped", err, s.Dropped)
		}
		checkEmpty(t, p)
	}
}
