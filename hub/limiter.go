package hub

import "time"

// limiter is the generic cell rate algorithm (ITU-T I.371): a token bucket in one number, since a
// million connections have one each. Times are since the hub's start. It is the reader's alone.
type limiter struct {
	// full is when the bucket will be full again.
	full time.Duration
	// refused counts messages beyond the limit since the bucket was last full.
	refused int32
}

// allow takes one message at the time now; each is the time between messages at the limit's rate. Otherwise it says
// how long to wait.
func (l *limiter) allow(now, each time.Duration, burst int) (wait time.Duration, ok bool) {
	if l.full <= now {
		l.full, l.refused = now, 0
	}
	if wait := l.full + each - now - each*time.Duration(burst); wait > 0 {
		l.refused++
		return wait, false
	}
	l.full += each
	return 0, true
}
