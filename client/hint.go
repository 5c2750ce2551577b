package client

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/protocol"
)

// goAwayError is what a connection ended with that the server had asked to end.
type goAwayError struct {
	at  time.Time // when to come back
	err error
}

func (e *goAwayError) Error() string { return e.err.Error() }
func (e *goAwayError) Unwrap() error { return e.err }

var errGoAway = errors.New("client: the server asked the client to reconnect")

// hint returns when the server wants the client back. A hint of zero in a close frame or a header is
// none: all who were told the same would come at once.
func hint(err error) (after, spread time.Duration, ok bool) {
	if h, found := errors.AsType[backoff.Hinter](err); found {
		if after, spread = h.RetryAfter(); after > 0 || spread > 0 {
			return after, spread, true
		}
	}
	if g, found := errors.AsType[*goAwayError](err); found {
		return max(time.Until(g.at), 0), 0, true
	}
	return 0, 0, false
}

// retryAfter reads a Retry-After header (RFC 9110, section 10.2.3): seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 63); err == nil {
		return time.Duration(min(n, uint64(protocol.MaxDelay/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), protocol.MaxDelay)
	}
	return 0
}

// sleep reports whether it slept to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
