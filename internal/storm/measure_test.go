package storm_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/storm"
)

func TestPeak(t *testing.T) {
	for _, tt := range []struct {
		times []time.Duration
		width time.Duration
		want  int
	}{
		{nil, 10, 0},
		{[]time.Duration{5}, 10, 1},
		{[]time.Duration{0, 9}, 10, 2},
		{[]time.Duration{0, 10}, 10, 1},
		{[]time.Duration{0, 9, 11, 18, 30}, 10, 3},
		{[]time.Duration{7, 7, 7, 20}, 1, 3},
	} {
		if got := storm.Peak(tt.times, tt.width); got != tt.want {
			t.Errorf("Peak(%v, %v) = %d, want %d", tt.times, tt.width, got, tt.want)
		}
	}
}

// Counted the long way round it is the same.
func TestPeakByBruteForce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		times := make([]time.Duration, rnd.IntN(50))
		for i := range times {
			times[i] = time.Duration(rnd.IntN(200))
		}
		slices.Sort(times)
		width, want := time.Duration(1+rnd.IntN(40)), 0
		for from := range time.Duration(200) {
			n := 0
			for _, at := range times {
				if at >= from && at < from+width {
					n++
				}
			}
			want = max(want, n)
		}
		if got := storm.Peak(times, width); got != want {
			t.Fatalf("Peak(%v, %v) = %d, want %d", times, width, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	times := []time.Duration{0, 9, 10, 35}
	if got, want := storm.Count(times, 10), []int{2, 1, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("Count = %v, want %v", got, want)
	}
	if got := storm.Count(nil, 10); got != nil {
		t.Errorf("Count of nothing = %v", got)
	}
}

func TestPlanString(t *testing.T) {
	for p, want := range map[storm.Plan]string{
		storm.Hinted: "hinted", storm.Crashed: "crashed", storm.Naive: "naive", 9: "Plan(9)",
	} {
		if got := p.String(); got != want {
			t.Errorf("%d: %q, want %q", int(p), got, want)
		}
	}
}

func ExampleStorm() {
	s := storm.Storm{
		Plan: storm.Hinted, Clients: 100_000, Rate: 2000, Burst: 40,
		Latency: 50 * time.Millisecond, Seed: 1, Limit: time.Hour,
	}
	r, err := s.Run()
	if err != nil {
		fmt.Println(err)
		return
	}
	peak := float64(storm.Peak(r.Arrivals, 100*time.Millisecond))
	fmt.Printf("%d handshakes, at most %.2f times the rate\n", len(r.Arrivals), peak/(s.Rate/10))
	// Output: 100000 handshakes, at most 1.03 times the rate
}
