package hub

import (
	"time"

	"github.com/gohubkit/hubkit/internal/histogram"
)

// Histogram counts values in buckets.
type Histogram struct {
	// Bounds are the largest values of the buckets, in ascending order. One more bucket has no bound.
	Bounds []float64
	// Counts has the number of values in each bucket, and so one more than Bounds. They are not cumulative.
	Counts []int64
	// Sum is the sum of all values.
	Sum float64
}

// Count returns the number of values.
func (h Histogram) Count() (n int64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// histograms are the histograms that a hub keeps. Each value costs two atomic additions.
type histograms struct {
	batches           *histogram.Histogram // in messages
	latency, brokered *histogram.Histogram // in nanoseconds, as is roundTrips
	roundTrips        *histogram.Histogram
}

func newHistograms() histograms {
	return histograms{
		batches:    histogram.New(1, 2, 4, 8, 16, 32, 64, 128, 256),
		latency:    histogram.New(times...),
		brokered:   histogram.New(times...),
		roundTrips: histogram.New(times...),
	}
}

// times are bounds from 50 µs, the time of a message within a node, to 10 s, after which a client is lost.
var times = []int64{
	50e3, 100e3, 250e3, 500e3,
	1e6, 2500e3, 5e6, 10e6, 25e6, 50e6, 100e6, 250e6, 500e6,
	1e9, 2500e6, 5e9, 10e9,
}

// inSeconds converts a histogram of nanoseconds.
func inSeconds(h *histogram.Histogram) Histogram { return scaled(h.Snapshot(), float64(time.Second)) }

func scaled(s histogram.Snapshot, unit float64) Histogram {
	out := Histogram{Bounds: make([]float64, len(s.Bounds)), Counts: s.Counts, Sum: float64(s.Sum) / unit}
	for i, b := range s.Bounds {
		out.Bounds[i] = float64(b) / unit
	}
	return out
}
