package admission

import (
	"math"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		clients  int
		rate     float64
		min, max time.Duration
	}{
		{0, 1000, 0, 0},
		{-1, 1000, 0, 0},
		{1000, 0, 0, 0},
		{1000, -1, 0, 0},
		{1000, math.NaN(), 0, 0},
		{1000, math.Inf(1), 0, 0},
		{math.MaxInt, 1, maxSpread, maxSpread},
		{100_000, 0.001, maxSpread, maxSpread},
		// The numbers of the documentation: u from 0.5 to 0.9.
		{100_000, 10, 20_000 * time.Second, 20_000 * time.Second},
		{100_000, 570, 350_877 * time.Millisecond, 350_878 * time.Millisecond},
		{100_000, 590, 330 * time.Second, 338 * time.Second},
		{100_000, 2000, 63500 * time.Millisecond, 64500 * time.Millisecond},
		{100_000, 4500, 24691 * time.Millisecond, 24692 * time.Millisecond},
		{100_000, 1e6, 111 * time.Millisecond, 112 * time.Millisecond},
	} {
		if got := Spread(tt.clients, tt.rate); got < tt.min || got > tt.max {
			t.Errorf("Spread(%d, %v) = %v, want from %v to %v", tt.clients, tt.rate, got, tt.min, tt.max)
		}
	}
}

// More clients never get less time, nor a higher rate more.
func TestSpreadIsMonotonic(t *testing.T) {
	for _, rate := range []float64{1, 10, 100, 500, 1000, 5000, 100_000} {
		before := time.Duration(0)
		for clients := 1; clients < 1e7; clients += 1 + clients/3 {
			got := Spread(clients, rate)
			if got < before {
				t.Errorf("Spread(%d, %v) = %v, after %v", clients, rate, got, before)
			}
			if slower := Spread(clients, rate*0.99); slower < got {
				t.Errorf("Spread(%d, %v) = %v, but %v at the higher rate", clients, rate*0.99, slower, got)
			}
			before = got
		}
	}
}
