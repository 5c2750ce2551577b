package client

import (
	"math"
	"time"
)

// bucket is a token bucket.
type bucket struct {
	rate   float64 // tokens per second
	burst  float64
	tokens float64
	last   time.Time
}

func newBucket(rate float64, burst int, now time.Time) *bucket {
	return &bucket{rate: rate, burst: float64(burst), tokens: float64(burst), last: now}
}

// wait returns how long it takes until there is a token, zero where there is one.
func (b *bucket) wait(now time.Time) time.Duration {
	if math.IsInf(b.rate, 1) {
		return 0
	}
	b.tokens = min(b.burst, b.tokens+b.rate*now.Sub(b.last).Seconds())
	b.last = now
	if b.tokens >= 1 {
		return 0
	}
	// Rounded up, or the last wait of a rounding error would be zero and find no token.
	return time.Duration(min((1-b.tokens)/b.rate*1e9, math.MaxInt64/2)) + 1
}

// spend takes the token that wait has found.
func (b *bucket) spend() { b.tokens-- }
