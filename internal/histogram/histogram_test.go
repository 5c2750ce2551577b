package histogram_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/internal/histogram"
)

func TestObserve(t *testing.T) {
	h := histogram.New(1, 2, 4)
	for _, v := range []int64{-1, 0, 1, 2, 3, 4, 5, 100} {
		h.Observe(v)
	}
	s := h.Snapshot()
	if want := []int64{3, 1, 2, 2}; !slices.Equal(s.Counts, want) || s.Sum != 114 {
		t.Errorf("counts %v, sum %d; want %v, 114", s.Counts, s.Sum, want)
	}
	var none *histogram.Histogram
	none.Observe(1)
	if s := none.Snapshot(); len(s.Counts) != 0 {
		t.Errorf("nil has %+v", s)
	}
}

func TestObserveAtOnce(t *testing.T) {
	h := histogram.New(10, 20)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 1000 {
				h.Observe(int64(10 * i))
			}
		})
	}
	wg.Wait()
	if s := h.Snapshot(); !slices.Equal(s.Counts, []int64{2000, 1000, 1000}) || s.Sum != 60_000 {
		t.Errorf("%+v", s)
	}
}

func TestBoundsAscend(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("bounds that do not ascend are taken")
		}
	}()
	histogram.New(1, 2, 2)
}

// BenchmarkObserve is an observation in the first bucket and in the last of as many as the hub's longest histogram has, by one goroutine
// and by one on each core.
func BenchmarkObserve(b *testing.B) {
	bounds := make([]int64, 17)
	for i := range bounds {
		bounds[i] = int64(i + 1)
	}
	for name, v := range map[string]int64{"first": 1, "last": 100} {
		b.Run(name, func(b *testing.B) {
			h := histogram.New(bounds...)
			for b.Loop() {
				h.Observe(v)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			h := histogram.New(bounds...)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					h.Observe(v)
				}
			})
		})
	}
}
