package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/backoff"
)

var errFlaky = errors.New("flaky")

// second makes every delay hinted below exact, and every other one at most a second.
func second(t *testing.T) *backoff.Policy {
	return mustNew(t, backoff.WithBase(time.Second), backoff.WithCap(time.Second))
}

func TestRetry(t *testing.T) {
	after := func(d time.Duration) error { return fmt.Errorf("wrapped: %w", backoff.Hinted(errFlaky, d, 0)) }
	tests := []struct {
		name  string
		fails []error // of the tries, in order; success follows
		opts  []backoff.RetryOption
		want  []error // that the result matches; none: success
		tries int
		took  time.Duration // -1: any
	}{
		{"success", nil, nil, nil, 1, 0},
		{"success later", []error{errFlaky, errFlaky}, nil, nil, 3, -1},
		{"hints", []error{after(60 * time.Second), after(30 * time.Second)}, nil, nil, 3, 90 * time.Second},
		{"permanent", []error{errFlaky, fmt.Errorf("wrapped: %w", backoff.Permanent(errFlaky))}, nil, []error{errFlaky}, 2, -1},
		{
			"tries", []error{after(5), after(5), after(5)},
			[]backoff.RetryOption{backoff.MaxTries(3)},
			[]error{errFlaky, backoff.ErrTries}, 3, 10,
		},
		{
			"one try", []error{errFlaky},
			[]backoff.RetryOption{backoff.MaxTries(1)},
			[]error{errFlaky, backoff.ErrTries}, 1, 0,
		},
		{
			"last try succeeds", []error{after(5), after(5)},
			[]backoff.RetryOption{backoff.MaxTries(3)}, nil, 3, 10,
		},
		{
			"elapsed", []error{after(4 * time.Second), after(4 * time.Second), after(4 * time.Second)},
			[]backoff.RetryOption{backoff.MaxElapsed(10 * time.Second)},
			[]error{errFlaky, backoff.ErrElapsed}, 3, 8 * time.Second,
		},
		{
			"elapsed, to the end", []error{after(4 * time.Second), after(6 * time.Second)},
			[]backoff.RetryOption{backoff.MaxElapsed(10 * time.Second)}, nil, 3, 10 * time.Second,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries, start := 0, time.Now()
				err := backoff.Retry(t.Context(), second(t), func(context.Context) error {
					tries++
					if tries <= len(tt.fails) {
						return tt.fails[tries-1]
					}
					return nil
				}, tt.opts...)
				if (err == nil) != (tt.want == nil) {
					t.Fatalf("Retry = %v", err)
				}
				for _, w := range tt.want {
					if !errors.Is(err, w) {
						t.Errorf("%q does not match %q", err, w)
					}
				}
				if tries != tt.tries {
					t.Errorf("%d tries, want %d", tries, tt.tries)
				}
				if took := time.Since(start); tt.took >= 0 && took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

func TestRetryEndsWithContext(t *testing.T) {
	cause := errors.New("shut down")
	fails := func(context.Context) error { return backoff.Hinted(errFlaky, time.Hour, 0) }

	t.Run("while waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(cause) })
			start := time.Now()
			err := backoff.Retry(ctx, nil, fails)
			for _, w := range []error{context.Canceled, cause, errFlaky} {
				if !errors.Is(err, w) {
					t.Errorf("%q does not match %q", err, w)
				}
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("took %v", took)
			}
		})
	})
	t.Run("deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := backoff.Retry(ctx, nil, fails)
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errFlaky) {
				t.Errorf("Retry = %v", err)
			}
		})
	})
	t.Run("while trying", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		err := backoff.Retry(ctx, nil, func(context.Context) error {
			tries++
			cancel()
			return errFlaky
		})
		if tries != 1 || !errors.Is(err, context.Canceled) || !errors.Is(err, errFlaky) {
			t.Errorf("Retry = %v after %d tries", err, tries)
		}
	})
	t.Run("success as it ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		if err := backoff.Retry(ctx, nil, func(context.Context) error { cancel(); return nil }); err != nil {
			t.Errorf("Retry = %v", err)
		}
	})
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		err := backoff.Retry(ctx, nil, func(context.Context) error {
			t.Error("called")
			return nil
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
			t.Errorf("Retry = %v", err)
		}
	})
}

func TestOnRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		err := backoff.Retry(t.Context(), nil,
			func(context.Context) error { return backoff.Hinted(errFlaky, time.Second, 0) },
			backoff.MaxTries(3),
			backoff.OnRetry(func(try int, err error, wait time.Duration) {
				got = append(got, fmt.Sprint(try, err, wait))
			}))
		if !errors.Is(err, backoff.ErrTries) {
			t.Errorf("Retry = %v", err)
		}
		if want := "1 flaky 1s|2 flaky 1s"; strings.Join(got, "|") != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestRetryReportsEveryFault(t *testing.T) {
	err := backoff.Retry(t.Context(), nil, func(context.Context) error {
		t.Error("called")
		return nil
	}, backoff.MaxTries(0), nil, backoff.MaxElapsed(-1))
	if !errors.Is(err, backoff.ErrOption) {
		t.Fatalf("Retry = %v", err)
	}
	for _, w := range []string{"option 1 is nil", "max tries is 0", "max elapsed is -1ns"} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not tell of %q", err, w)
		}
	}
}

func TestMarks(t *testing.T) {
	if backoff.Permanent(nil) != nil || backoff.Hinted(nil, 1, 1) != nil {
		t.Error("a mark on nil is not nil")
	}
	p := backoff.Permanent(errFlaky)
	if p.Error() != "flaky" || !errors.Is(p, errFlaky) || !backoff.IsPermanent(fmt.Errorf("x: %w", p)) {
		t.Errorf("Permanent = %v", p)
	}
	if backoff.IsPermanent(errFlaky) || backoff.IsPermanent(nil) {
		t.Error("permanent without a mark")
	}
	h := backoff.Hinted(errFlaky, 1, 2)
	if h.Error() != "flaky" || !errors.Is(h, errFlaky) {
		t.Errorf("Hinted = %v", h)
	}
	hinter, ok := errors.AsType[backoff.Hinter](h)
	if !ok {
		t.Fatal("not a Hinter")
	}
	if after, spread := hinter.RetryAfter(); after != 1 || spread != 2 {
		t.Errorf("RetryAfter = %d, %d", after, spread)
	}
}
