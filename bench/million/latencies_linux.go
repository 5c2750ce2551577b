package main

import (
	"context"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies merges what the load processes have measured since the last time.
func (t *trial) latencies(ctx context.Context) (common, small, returns *hdrhistogram.Histogram, err error) {
	all := make([]Latencies, len(t.crowds))
	if err := each(ctx, t.crowds, 0, func(ctx context.Context, i int, p *part) error {
		return p.order(ctx, "Latencies", None{}, &all[i])
	}); err != nil {
		return nil, nil, nil, err
	}
	common, small, returns = newHistogram(), newHistogram(), newHistogram()
	for _, l := range all {
		for _, x := range []struct {
			sum  *hdrhistogram.Histogram
			data []byte
		}{{common, l.Common}, {small, l.Small}, {returns, l.Return}} {
			h, err := hdrhistogram.Decode(x.data)
			if err != nil {
				return nil, nil, nil, err
			}
			x.sum.Merge(h)
		}
	}
	return common, small, returns, nil
}

// discardLatencies begins a measurement.
func (t *trial) discardLatencies(ctx context.Context) error {
	_, _, _, err := t.latencies(ctx)
	return err
}
