package drain

import (
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
)

func TestPlan(t *testing.T) {
	const window = 30 * time.Second
	spread := admission.Spread
	for _, tt := range []struct {
		name        string
		to          Successors
		n           int
		window      time.Duration
		leave, back time.Duration
	}{
		{"nobody", Successors{Rate: 1000}, 0, window, window, window},
		{"nothing is stated", Successors{Rate: 1000, Capacity: -1}, 100, window, window, window},
		{"nothing is stated of many", Successors{Rate: 1000, Capacity: -1}, 100_000, window, window, spread(100_000, 1000)},
		{"the pace of the others", Successors{Rate: 2000, Stated: true, Capacity: -1}, 20_000, window, spread(20_000, 2000), spread(20_000, 2000)},
		{"they have the capacity", Successors{Rate: 2000, Stated: true, Capacity: 20_000}, 20_000, window, spread(20_000, 2000), spread(20_000, 2000)},
		{"they have not", Successors{Rate: 2000, Stated: true, Capacity: 19_999}, 20_000, window, window, window},
		{"faster than a balancer looks", Successors{Rate: 1e5, Stated: true, Capacity: -1}, 10, window, window / 10, window / 10},
		{"slower than the window", Successors{Rate: 100, Stated: true, Capacity: -1}, 20_000, window, window, spread(20_000, 100)},
		{"together", Successors{Rate: 2000, Stated: true, Capacity: -1}, 20_000, 0, 0, spread(20_000, 2000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.to.Plan(tt.n, tt.window)
			if p.Leave != tt.leave || p.Return != tt.back {
				t.Fatalf("they leave within %v and return within %v, want %v and %v", p.Leave, p.Return, tt.leave, tt.back)
			}
			// A client that leaves in its turn and obeys its hint comes back in the same order, over the whole time.
			for _, i := range []int{0, tt.n / 3, tt.n - 1} {
				if i < 0 || tt.n == 0 {
					continue
				}
				hint := p.Hint(i)
				turn := time.Duration(float64(p.Return) * float64(i) / float64(tt.n))
				if p.Leave == 0 {
					turn = 0
				}
				if got := p.Due(i) + hint.After; (got - turn).Abs() > time.Millisecond {
					t.Errorf("number %d is back after %v, want %v", i, got, turn)
				}
				if hint.Spread < MinSpread || p.Leave == 0 && hint.Spread != p.Return {
					t.Errorf("number %d has a spread of %v", i, hint.Spread)
				}
			}
		})
	}
	if hint := (Plan{}).Hint(0); hint != (Hint{Spread: MinSpread}) {
		t.Errorf("without a plan a client is told %+v", hint)
	}
}

// TestDrainHint: a client that comes while the hub drains is told what those are told that leave at that moment, and
// afterwards what is left of the time in which they return.
func TestDrainHint(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name          string
		plan          Plan
		elapsed       time.Duration
		after, spread time.Duration
	}{
		{"the others are as fast", Plan{conns: 10, Leave: 10 * s, Return: 10 * s}, 5 * s, 0, s},
		{"the others are slower, at first", Plan{conns: 10, Leave: 10 * s, Return: 40 * s}, 0, 0, 4 * s},
		{"half way", Plan{conns: 10, Leave: 10 * s, Return: 40 * s}, 5 * s, 15 * s, 4 * s},
		{"when all have left", Plan{conns: 10, Leave: 10 * s, Return: 40 * s}, 10 * s, 30 * s, 4 * s},
		{"when most are back", Plan{conns: 10, Leave: 10 * s, Return: 40 * s}, 35 * s, 5 * s, 4 * s},
		{"when all are back", Plan{conns: 10, Leave: 10 * s, Return: 40 * s}, 50 * s, 0, 4 * s},
		{"all left at once", Plan{conns: 10, Return: 40 * s}, 10 * s, 0, 30 * s},
		{"all left at once, and are back", Plan{conns: 10, Return: 40 * s}, time.Hour, 0, s},
		{"nobody was there", Plan{Leave: 10 * s, Return: 10 * s}, 5 * s, 0, s},
		{"nobody was there, afterwards", Plan{Leave: 10 * s, Return: 10 * s}, 15 * s, 0, s},
	} {
		d := Drain{Plan: tt.plan}
		if hint := d.after(tt.elapsed); hint.After != tt.after || hint.Spread != tt.spread {
			t.Errorf("%s: %v and %v, want %v and %v", tt.name, hint.After, hint.Spread, tt.after, tt.spread)
		}
	}
}
