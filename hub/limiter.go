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

// allow takes one message at the time now. Otherwise it says how long to wait.
func (l *limiter) allow(now time.Duration, perSecond float64, burst int) (wait time.Duration, ok bool) {
	each := time.Duration(float64(time.Second) / perSecond)
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
