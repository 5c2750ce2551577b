package client

import (
	"math"
	"time"
)

// bucket is a token bucket.
type bucket struct {
	rate   float64 // tokens per second
	burst  float64
	tokens float64 // may be owed
	last   time.Time
}

func newBucket(rate float64, burst int, now time.Time) *bucket {
	return &bucket{rate: rate, burst: float64(burst), tokens: float64(burst), last: now}
}

// fill adds the tokens of the time since the last call, up to the burst less those held.
func (b *bucket) fill(now time.Time, held int) {
	if b.unlimited() {
		return
	}
	b.tokens = max(b.tokens, min(b.burst-float64(held), b.tokens+b.rate*now.Sub(b.last).Seconds()))
	b.last = now
}

// wait returns how long it takes until there are n tokens, or as many as there ever are, and zero if there are.
func (b *bucket) wait(n float64) time.Duration {
	if b.unlimited() {
		return 0
	}
	missing := min(n, b.burst) - b.tokens
	if missing <= 0 {
		return 0
	}
	// Rounded up, or the last wait of a rounding error would be zero and find no token.
	return time.Duration(min(missing/b.rate*1e9, math.MaxInt64/2)) + 1
}

func (b *bucket) unlimited() bool { return math.IsInf(b.rate, 1) }

// spend takes tokens.
func (b *bucket) spend(n float64) { b.tokens -= n }

// drain takes all tokens that there are.
func (b *bucket) drain() { b.tokens = min(b.tokens, 0) }
