package admission

import "time"

// bucket is a token bucket. Times are since the Gate was made and never go back.
type bucket struct {
	rate   float64 // tokens a second
	size   float64
	tokens float64
	last   time.Duration
}

func newBucket(rate float64, size int) bucket {
	return bucket{rate: rate, size: float64(size), tokens: float64(size)}
}

// refill adds the tokens that have come up to now.
func (b *bucket) refill(now time.Duration) {
	b.tokens = min(b.size, b.tokens+b.rate*(now-b.last).Seconds())
	b.last = now
}

// take takes a token unless fewer than reserve would be left.
func (b *bucket) take(now time.Duration, reserve float64) bool {
	b.refill(now)
	if b.tokens < 1+reserve {
		return false
	}
	b.tokens--
	return true
}
