// Package histogram counts values in buckets, from several goroutines and without a lock.
package histogram

import (
	"fmt"
	"sync/atomic"
)

// Histogram counts values in buckets with fixed upper bounds. A nil Histogram counts nothing.
type Histogram struct {
	bounds []int64
	counts []atomic.Int64 // one more than bounds: the last has no bound
	sum    atomic.Int64
}

// New makes an empty Histogram. The bounds are the largest values of their buckets. They must ascend.
func New(bounds ...int64) *Histogram {
	for i := range bounds[1:] {
		if bounds[i] >= bounds[i+1] {
			panic(fmt.Sprintf("histogram: the bound %d is followed by %d", bounds[i], bounds[i+1]))
		}
	}
	return &Histogram{bounds: bounds, counts: make([]atomic.Int64, len(bounds)+1)}
}

// Observe counts a value. It takes two atomic additions, and no allocation.
func (h *Histogram) Observe(v int64) {
	if h == nil {
		return
	}
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(v)
}

// Snapshot is a Histogram at one time.
type Snapshot struct {
	// Bounds are shared, and must not be changed.
	Bounds []int64
	// Counts are by bucket, one more than Bounds. They are not cumulative.
	Counts []int64
	Sum    int64
}

// Snapshot returns the counts. They are read one after the other.
func (h *Histogram) Snapshot() Snapshot {
	if h == nil {
		return Snapshot{}
	}
	s := Snapshot{Bounds: h.bounds, Counts: make([]int64, len(h.counts)), Sum: h.sum.Load()}
	for i := range h.counts {
		s.Counts[i] = h.counts[i].Load()
	}
	return s
}
