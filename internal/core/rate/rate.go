// Package rate limits how often something happens, with one number for each thing that is limited: a million connections
// have a [Bucket] each, and share a [Limit].
package rate

import (
	"math"
	"sync/atomic"
	"time"
)

// Limit is a rate with a burst, of messages or of bytes. The zero Limit is none.
type Limit struct {
	each  float64       // nanoseconds that one takes
	depth time.Duration // what the burst takes
}

// New returns a limit of perSecond with a burst. Both are positive.
func New(perSecond float64, burst int) Limit {
	each := float64(time.Second) / perSecond
	return Limit{each: each, depth: time.Duration(each * float64(burst))}
}

// Enabled reports whether there is a limit.
func (l Limit) Enabled() bool { return l.each > 0 }

// PerSecond is the rate of a limit that is enabled.
func (l Limit) PerSecond() float64 { return float64(time.Second) / l.each }

// Fits reports whether n may be taken at once.
func (l Limit) Fits(n int) bool { return l.Cost(n) <= l.depth }

// Announced is the rate a second, to a thousandth, and the burst. Both are zero without a limit.
func (l Limit) Announced() (perSecond float64, burst int) {
	if !l.Enabled() {
		return 0, 0
	}
	perSecond = l.PerSecond()
	if rounded := math.Round(perSecond*1000) / 1000; rounded > 0 {
		perSecond = rounded
	}
	return perSecond, int(math.Round(float64(l.depth) / l.each))
}

// Cost is the time that n take.
func (l Limit) Cost(n int) time.Duration { return time.Duration(l.each * float64(n)) }

// Bucket is the generic cell rate algorithm (ITU-T I.371): a token bucket in one number. Times count from any moment that
// stays the same, and are monotonic. The zero Bucket is full. Its methods must not be called from several goroutines at
// once.
type Bucket struct {
	// full is when the bucket will be full again.
	full time.Duration
	// refused is what was beyond the limit since the bucket was last full, as the time it would have taken. 24 bits of it are
	// exact, which is enough to compare it with the burst.
	refused float32

	// Own is the holder's own: it would be padding.
	Own atomic.Uint32
}

// Take takes n at the time now. If that is beyond the limit, it takes none, says how long to wait, and notes it as refused.
func (b *Bucket) Take(now time.Duration, n int, l Limit) (wait time.Duration, ok bool) {
	if wait, ok = b.Try(now, n, l); !ok {
		b.refused += float32(l.Cost(n))
	}
	return wait, ok
}

// Try is Take, but notes nothing.
func (b *Bucket) Try(now time.Duration, n int, l Limit) (wait time.Duration, ok bool) {
	if b.full <= now {
		b.full, b.refused = now, 0
	}
	full := b.full + l.Cost(n)
	if wait := full - now - l.depth; wait > 0 {
		return wait, false
	}
	b.full = full
	return 0, true
}

// Owe takes n, which may be beyond the limit, because they are spent already. What was refused is forgiven to that amount: one
// who is charged more than it could know is not stubborn.
func (b *Bucket) Owe(now time.Duration, n float64, l Limit) {
	if b.full <= now {
		b.full, b.refused = now, 0
	}
	cost := time.Duration(min(l.each*n, float64(maxOwed)))
	b.full += cost
	b.refused = max(b.refused-float32(cost), 0)
}

// maxOwed bounds what is owed at once, so that sums do not overflow.
const maxOwed = 24 * time.Hour

// Refusing reports whether something was refused since the bucket was last full.
func (b *Bucket) Refusing(now time.Duration) bool { return b.refused > 0 && b.full > now }

// Stubborn reports whether more than a burst was refused since the bucket was last full.
func (b *Bucket) Stubborn(l Limit) bool { return b.refused > float32(l.depth) }

// Full reports whether the bucket is full: it is then no other than a new one.
func (b *Bucket) Full(now time.Duration) bool { return b.full <= now }
