package workerpool_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/workerpool"
)

func TestDoReturnsResult(t *testing.T) {
	p := newPool(t)
	must(t, p.Do(t.Context(), 1, func(context.Context) error { return nil }))
	if err := p.Do(t.Context(), 1, func(context.Context) error { return io.EOF }); err != io.EOF {
		t.Errorf("Do: %v, want the task's error", err)
	}
	type name struct{}
	ctx := context.WithValue(t.Context(), name{}, "ann")
	must(t, p.Do(ctx, 1, func(ctx context.Context) error {
		if ctx.Value(name{}) != "ann" {
			t.Error("the task's context lacks the caller's values")
		}
		return nil
	}))
}

// When Do has returned, its task is in the figures.
func TestDoIsAccountedFor(t *testing.T) {
	p := newPool(t)
	for i := range uint64(1000) {
		must(t, p.Do(t.Context(), i%3, func(context.Context) error { return nil }))
		if s := p.Stats(); s.Completed != int64(i+1) || p.Pending(i%3) != 0 {
			t.Fatalf("after %d: %+v, %d pending", i+1, s, p.Pending(i%3))
		}
	}
}

func TestDoTakesBack(t *testing.T) {
	// The task that is taken back is at the start, in the middle or at the end of its key's.
	for _, place := range []int{0, 1, 2} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, workerpool.WithWorkers(1), workerpool.WithQueue(7))
			release := hold(t, p, 9)
			ctx, cancel := context.WithCancel(t.Context())
			errs := make(chan error, 1)
			ran := 0
			for i := range 3 {
				if i != place {
					must(t, p.Submit(t.Context(), 1, func(context.Context) { ran++ }))
					continue
				}
				go func() {
					errs <- p.Do(ctx, 1, func(context.Context) error { t.Error("ran"); return nil })
				}()
				synctest.Wait()
			}
			for range 4 {
				must(t, p.Go(t.Context(), nop))
			}
			if err := p.Go(t.Context(), nop); !isBusy(err) {
				t.Fatalf("a full pool: %v", err)
			}
			cancel()
			if err := <-errs; err != context.Canceled {
				t.Errorf("Do: %v, want Canceled", err)
			}
			// Its place is free, and the list is whole.
			must(t, p.Go(t.Context(), func(context.Context) { ran++ }))
			release()
			must(t, p.Close(t.Context()))
			if ran != 3 {
				t.Errorf("%d tasks ran, want 3", ran)
			}
			if s := p.Stats(); s.Canceled != 1 || s.Completed != 8 {
				t.Errorf("stats %+v, want 1 canceled, 8 completed", s)
			}
		})
	}
}

// A queue whose only task was taken back is forgotten.
func TestDoTakesBackTheOnlyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, workerpool.WithWorkers(1))
		release := hold(t, p, 9)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.Do(ctx, 1, func(context.Context) error { return nil })
		if err != context.DeadlineExceeded {
			t.Errorf("Do: %v, want DeadlineExceeded", err)
		}
		if n := p.Pending(1); n != 0 {
			t.Errorf("Pending = %d, want 0", n)
		}
		release()
	})
}

func TestDoLeavesRunningTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		seen := make(chan error, 1)
		err := p.Do(ctx, 1, func(ctx context.Context) error {
			<-ctx.Done()
			seen <- ctx.Err()
			time.Sleep(time.Second)
			return nil
		})
		if err != context.DeadlineExceeded || p.Pending(1) != 1 {
			t.Errorf("Do: %v with %d pending, want DeadlineExceeded and 1", err, p.Pending(1))
		}
		if err := <-seen; err != context.DeadlineExceeded {
			t.Errorf("the task's context: %v", err)
		}
	})
}

// Close ends the context of Do's task, as of any other.
func TestDoEndsWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t)
		result := make(chan error)
		go func() {
			result <- p.Do(t.Context(), 1, func(ctx context.Context) error {
				<-ctx.Done()
				return context.Cause(ctx)
			})
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		closeError(t, p.Close(ctx), 0, 1)
		if err := <-result; !errors.Is(err, workerpool.ErrClosed) {
			t.Errorf("Do: %v, want ErrClosed", err)
		}
	})
}

func TestRefusedAtOnce(t *testing.T) {
	p := newPool(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	release := hold(t, p, 1)
	_, ifBusyOver := p.SubmitIfBusy(over, 1, nop)
	_, ifBusyNil := p.SubmitIfBusy(t.Context(), 1, nil)
	tests := []struct {
		name      string
		got, want error
	}{
		{"Submit, context over", p.Submit(over, 1, nop), context.Canceled},
		{"SubmitIfBusy, context over", ifBusyOver, context.Canceled},
		{"Go, context over", p.Go(over, nop), context.Canceled},
		{"Do, context over", p.Do(over, 1, func(context.Context) error { return nil }), context.Canceled},
		{"Submit, nil", p.Submit(t.Context(), 1, nil), workerpool.ErrNilTask},
		{"SubmitIfBusy, nil", ifBusyNil, workerpool.ErrNilTask},
		{"Go, nil", p.Go(t.Context(), nil), workerpool.ErrNilTask},
		{"Do, nil", p.Do(t.Context(), 1, nil), workerpool.ErrNilTask},
	}
	release()
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", test.name, test.got, test.want)
		}
	}
	must(t, p.Close(t.Context()))
	if s := p.Stats(); s.Submitted != 1 || s.Rejected != 0 {
		t.Errorf("stats %+v, want only the task that held the key", s)
	}
}
