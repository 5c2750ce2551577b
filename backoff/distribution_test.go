package backoff_test

import (
	"math"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/backoff"
)

const (
	base  = 500 * time.Millisecond
	limit = 30 * time.Second
)

// sample draws retry n of so many sequences that start anew.
func sample(t *testing.T, n, size int, opts ...backoff.Option) []time.Duration {
	t.Helper()
	p := mustNew(t, append([]backoff.Option{backoff.WithSeed(1)}, opts...)...)
	ds := make([]time.Duration, size)
	for i := range ds {
		s := p.Start()
		for range n {
			s.Next()
		}
		ds[i] = s.Next()
	}
	return ds
}

// uniform checks that ds look drawn from U(lo, hi): the bounds, the mean, and a tenth in each tenth.
func uniform(t *testing.T, ds []time.Duration, lo, hi time.Duration) {
	t.Helper()
	var sum float64
	var tenths [10]int
	for _, d := range ds {
		if d < lo || d > hi {
			t.Fatalf("delay %v is not from %v to %v", d, lo, hi)
		}
		sum += float64(d)
		tenths[min(9, int(10*float64(d-lo)/float64(hi-lo)))]++
	}
	n, width := float64(len(ds)), float64(hi-lo)
	// Five standard errors.
	if mean, want := sum/n, float64(lo+hi)/2; math.Abs(mean-want) > 5*width/math.Sqrt(12*n) {
		t.Errorf("mean %v, want about %v", time.Duration(mean), time.Duration(want))
	}
	for i, c := range tenths {
		if math.Abs(float64(c)-n/10) > 5*math.Sqrt(n*0.09) {
			t.Errorf("%d of %d delays in tenth %d", c, len(ds), i)
		}
	}
}

func TestWindows(t *testing.T) {
	const size = 4000
	window := func(n int) time.Duration {
		if n > 6 {
			return limit
		}
		return min(limit, base<<n)
	}
	for _, n := range []int{0, 1, 2, 3, 5, 6, 7, 50, 100} {
		first := backoff.WithFirst(0)
		uniform(t, sample(t, n, size, first), 0, window(n))
		uniform(t, sample(t, n, size, first, backoff.WithStrategy(backoff.Equal)), window(n)/2, window(n))
	}
	// The first retry is spread alike by every strategy.
	for s := backoff.Full; s <= backoff.Decorrelated; s++ {
		uniform(t, sample(t, 0, size, backoff.WithStrategy(s)), 0, 2*time.Second)
	}
}

func TestDecorrelated(t *testing.T) {
	p := mustNew(t, backoff.WithStrategy(backoff.Decorrelated), backoff.WithFirst(0), backoff.WithSeed(1))
	for range 2000 {
		s, prev := p.Start(), base
		for range 50 {
			d := s.Next()
			if hi := min(limit, 3*prev); d < base || d > hi {
				t.Fatalf("delay %v after %v is not from %v to %v", d, prev, base, hi)
			}
			prev = d
		}
	}
}

// The jitter must outlive the cap: of clients that have tried for long, no more than a few percent come in
// the same hundredth of the window. Cut after drawing, a third of the decorrelated ones would.
func TestSpreadAtTheCap(t *testing.T) {
	const size = 10_000
	for s := backoff.Full; s <= backoff.Decorrelated; s++ {
		t.Run(s.String(), func(t *testing.T) {
			var hundredths [100]int
			var longest time.Duration
			for _, d := range sample(t, 25, size, backoff.WithStrategy(s)) {
				hundredths[min(99, int(d*100/limit))]++
				longest = max(longest, d)
			}
			// Full has 1 % in each, Equal 2 % in half of them, Decorrelated up to 3.5 %.
			for i, c := range hundredths {
				if c > size*5/100 {
					t.Errorf("%d of %d clients in hundredth %d", c, size, i)
				}
			}
			if longest < limit*9/10 {
				t.Errorf("longest delay %v: the cap is not reached", longest)
			}
		})
	}
}

func TestNothingOverflows(t *testing.T) {
	const most = time.Duration(math.MaxInt64)
	for s := backoff.Full; s <= backoff.Decorrelated; s++ {
		for _, b := range []time.Duration{1, base, most/3 + 1, most - 1, most} {
			seq := mustNew(t, backoff.WithStrategy(s), backoff.WithBase(b), backoff.WithCap(most)).Start()
			for range 200 {
				if d := seq.Next(); d < 0 {
					t.Fatalf("%v, base %v: delay %v", s, b, d)
				}
			}
			seq.Hint(most, most)
			if d := seq.Next(); d != most {
				t.Errorf("%v: longest hint gave %v", s, d)
			}
		}
	}
}

func BenchmarkNext(b *testing.B) {
	s := backoff.Default().Start()
	b.ReportAllocs()
	for b.Loop() {
		s.Next()
	}
}
