package backoff

import (
	"errors"
	"time"
)

var (
	// ErrTries is matched by what Retry returns when MaxTries is used up.
	ErrTries = errors.New("backoff: out of tries")
	// ErrElapsed is matched by what Retry returns when another try would come after MaxElapsed.
	ErrElapsed = errors.New("backoff: out of time")
)

// Hinter is an error that knows when to try again, such as one made of a Retry-After header. Retry
// looks for it with errors.As.
type Hinter interface {
	error
	// RetryAfter returns what Sequence.Hint takes.
	RetryAfter() (after, spread time.Duration)
}

// Hinted returns err as a Hinter: the next try comes after + U(0, spread) later. It returns nil if err
// is nil.
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

// Permanent returns err marked as one that no retry will mend. The mark is found through wrapping, and
// stays on what Retry returns. Permanent(nil) is nil.
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
