// Package latency keeps what wsload measures in HDR histograms.
package latency

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/gohubkit/hubkit/internal/wsload"
)

const longest = time.Minute

type recorder struct {
	micros *hdrhistogram.Histogram
}

func empty() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 3)
}

// Recorder is for wsload.Options.
func Recorder() wsload.Recorder { return recorder{empty()} }

// Record counts what took longer than a minute as a minute.
func (r recorder) Record(d time.Duration) {
	_ = r.micros.RecordValue(min(max(d, time.Microsecond), longest).Microseconds())
}

// Take returns what c has recorded since the last call, in microseconds. The Recorder of c's Options must be
// that of this package.
func Take(c *wsload.Client) *hdrhistogram.Histogram {
	sum := empty()
	c.Recorded(func(r wsload.Recorder) {
		one := r.(recorder)
		sum.Merge(one.micros)
		one.micros.Reset()
	})
	return sum
}
