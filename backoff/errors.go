package backoff

import (
	"errors"
	"time"
)

var (
	// ErrTries is returned by Retry after as many tries as MaxTries allows. Match it with errors.Is.
	ErrTries = errors.New("backoff: out of tries")
	// ErrElapsed is returned by Retry if the next try would start after MaxElapsed. Match it with errors.Is.
	ErrElapsed = errors.New("backoff: out of time")
)

// Hinter is an error that says when to try again, such as one made from a Retry-After header. Retry finds it with
// errors.As.
type Hinter interface {
	error
	// RetryAfter returns the arguments for Sequence.Hint.
	RetryAfter() (after, spread time.Duration)
}

// Hinted returns err as a Hinter. The next try comes after + U(0, spread) later. Hinted returns nil if err is nil.
func Hinted(err error, after, spread time.Duration) error {
	if err == nil {
		return nil
	}
	return &hinted{err, after, spread}
}

type hinted struct {
	err           error
	after, spread time.Duration
}

func (e *hinted) Error() string                              { return e.err.Error() }
func (e *hinted) Unwrap() error                              { return e.err }
func (e *hinted) RetryAfter() (time.Duration, time.Duration) { return e.after, e.spread }

// Permanent marks err as an error that no retry can cure, and returns it. IsPermanent finds the mark in an error that
// wraps it, such as the one that Retry returns. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

// IsPermanent reports whether err or an error that it wraps was marked by Permanent.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[*permanent](err)
	return ok
}

type permanent struct{ err error }

func (e *permanent) Error() string { return e.err.Error() }
func (e *permanent) Unwrap() error { return e.err }
