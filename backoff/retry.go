package backoff

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// RetryOption bounds or observes one call of Retry. Retry reports every fault of every option together.
type RetryOption func(*retry) error

type retry struct {
	maxTries   int           // zero: no bound
	maxElapsed time.Duration // zero: no bound
	onRetry    func(try int, err error, wait time.Duration)
}

// MaxTries bounds how often Retry calls the function. By default there is no bound. n must be positive. At the bound
// Retry returns ErrTries.
func MaxTries(n int) RetryOption {
	return func(r *retry) error {
		r.maxTries = n
		return require(n > 0, "max tries is %d, must be positive", n)
	}
}

// MaxElapsed bounds the time from the call of Retry to the start of the last try. By default there is no bound. d must be
// positive. If the next try would start later, Retry returns ErrElapsed at once. MaxElapsed does not interrupt a try. Use a
// context with a deadline for that.
func MaxElapsed(d time.Duration) RetryOption {
	return func(r *retry) error {
		r.maxElapsed = d
		return require(d > 0, "max elapsed is %v, must be positive", d)
	}
}

// OnRetry sets a function that is called before each wait, in the goroutine that called Retry. The default is none. try
// counts from 1. err is the error of that try.
func OnRetry(f func(try int, err error, wait time.Duration)) RetryOption {
	return func(r *retry) error {
		r.onRetry = f
		return require(f != nil, "OnRetry: nil function")
	}
}

// Retry calls f, in the calling goroutine, until it returns nil. It waits between tries as the policy says. A nil policy
// means Default(). An error that is a Hinter sets the next wait.
//
// Retry gives up when ctx is done, when f returns a Permanent error, and when an option's bound is reached. The error then
// matches f's last error. Unless that is Permanent, the error also matches the reason: ctx.Err() and context.Cause(ctx),
// ErrTries or ErrElapsed. If ctx is done before the first try, Retry does not call f. If an option is faulty, Retry does
// not call f either, and the error matches ErrOption.
func Retry(ctx context.Context, p *Policy, f func(context.Context) error, opts ...RetryOption) error {
	r, err := newRetry(opts)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return canceled(ctx)
	}
	if p == nil {
		p = Default()
	}
	start := time.Now()
	seq := p.Start()
	for try := 1; ; try++ {
		err := f(ctx)
		switch {
		case err == nil:
			return nil
		case IsPermanent(err):
			return err
		case ctx.Err() != nil:
			return gaveUp(canceled(ctx), try, err)
		case r.maxTries > 0 && try >= r.maxTries:
			return gaveUp(ErrTries, try, err)
		}
		if h, ok := errors.AsType[Hinter](err); ok {
			seq.Hint(h.RetryAfter())
		}
		wait := seq.Next()
		if r.maxElapsed > 0 && add(time.Since(start), wait) > r.maxElapsed {
			return gaveUp(ErrElapsed, try, err)
		}
		if r.onRetry != nil {
			r.onRetry(try, err, wait)
		}
		if sleep(ctx, wait) != nil {
			return gaveUp(canceled(ctx), try, err)
		}
	}
}

func newRetry(opts []RetryOption) (*retry, error) {
	r := new(retry)
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, require(false, "retry option %d is nil", i))
			continue
		}
		faults = append(faults, o(r))
	}
	return r, errors.Join(faults...)
}

func gaveUp(why error, tries int, last error) error {
	return fmt.Errorf("%w (tries: %d): %w", why, tries, last)
}

// canceled matches ctx.Err() and its cause.
func canceled(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
