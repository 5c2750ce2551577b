package storm_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/internal/storm"
)

const (
	tenth = 100 * time.Millisecond
	// wave is how long the first tries of clients take that were told nothing: 2 s, and their way.
	wave = 2*time.Second + latency
	// latency of the network.
	latency = 50 * time.Millisecond
)

// of100k is the storm of the issue, 100,000 clients dropped together, at a rate whose 50th part is the burst.
func of100k(plan storm.Plan, rate float64, seed uint64) storm.Storm {
	return storm.Storm{
		Plan:    plan,
		Clients: 100_000,
		Rate:    rate,
		Burst:   int(rate / 50),
		Latency: latency,
		Seed:    seed,
		Limit:   time.Hour,
	}
}

// ideal is how long the gate needs at the least.
func ideal(s storm.Storm) time.Duration {
	return time.Duration(float64(s.Clients+s.Newcomers) / s.Rate * float64(time.Second))
}

func run(t *testing.T, s storm.Storm) storm.Result {
	t.Helper()
	r, err := s.Run()
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	if len(r.Resumed) != s.Clients || len(r.New) != s.Newcomers || len(r.Admitted) != s.Clients+s.Newcomers {
		t.Fatalf("%+v: %d resumed, %d new, %d admitted", s, len(r.Resumed), len(r.New), len(r.Admitted))
	}
	return r
}

func last(times []time.Duration) time.Duration { return times[len(times)-1] }

// after is what happened from a moment on.
func after(times []time.Duration, from time.Duration) []time.Duration {
	i, _ := slices.BinarySearch(times, from)
	return times[i:]
}

// even fails where any 100 ms see more than 1.2 times the rate.
func even(t *testing.T, what string, times []time.Duration, rate float64) {
	t.Helper()
	if got, most := storm.Peak(times, tenth), 1.2*rate*tenth.Seconds(); float64(got) > most+1e-6 {
		t.Errorf("%d %s within 100 ms, at most %v are allowed", got, what, most)
	}
}

// A server that says when to come back is not stormed at all: nobody is refused, and no 100 ms see more than 1.2 times the
// rate.
func TestHinted(t *testing.T) {
	for _, rate := range []float64{1000, 2000, 5000} {
		s := of100k(storm.Hinted, rate, 1)
		r := run(t, s)
		even(t, "handshakes", r.Arrivals, rate)
		if len(r.Arrivals) != s.Clients || r.MaxTries != 1 {
			t.Errorf("rate %v: %d handshakes, the unluckiest client sent %d", rate, len(r.Arrivals), r.MaxTries)
		}
		if most := admission.Spread(s.Clients, rate) + 2*latency; last(r.Resumed) > most {
			t.Errorf("rate %v: the last is back after %v, want %v at most", rate, last(r.Resumed), most)
		}
	}
}

// After a crash the first tries come within 2 s and most are refused. From then on the promises make the storm as
// even as a hint would have.
func TestCrashed(t *testing.T) {
	for _, rate := range []float64{2000, 5000} {
		s := of100k(storm.Crashed, rate, 1)
		r := run(t, s)
		even(t, "admitted", r.Admitted, rate)
		// Who was refused last in the wave is told to come back a second later at the earliest.
		even(t, "handshakes after the first wave", after(r.Arrivals, wave+time.Second), rate)
		if last(r.Resumed) > 2*ideal(s) {
			t.Errorf("rate %v: the last is back after %v", rate, last(r.Resumed))
		}
		if r.MaxTries > 5 || len(r.Arrivals) > 2*s.Clients {
			t.Errorf("rate %v: %d handshakes, the unluckiest client sent %d", rate, len(r.Arrivals), r.MaxTries)
		}
	}
}

// At low rates 100 ms are too short a time for arrivals by chance to be even, but those admitted are, and nobody is forgotten.
func TestLowRate(t *testing.T) {
	for _, plan := range []storm.Plan{storm.Hinted, storm.Crashed} {
		s := of100k(plan, 300, 1)
		r := run(t, s)
		even(t, "admitted", r.Admitted, s.Rate)
		if last(r.Resumed) > 2*ideal(s)+latency*2 || r.MaxTries > 6 {
			t.Errorf("%v: the last is back after %v and %d tries", plan, last(r.Resumed), r.MaxTries)
		}
	}
}

// New clients come all through the storm. Those that resume lose no more than the tokens that the new ones take, which are
// their share or left over.
func TestNewcomers(t *testing.T) {
	for _, plan := range []storm.Plan{storm.Hinted, storm.Crashed} {
		s := of100k(plan, 2000, 1)
		alone := run(t, s)
		s.Newcomers = 10_000
		r := run(t, s)
		even(t, "admitted", r.Admitted, s.Rate)
		if most := last(alone.Resumed) + time.Second + ideal(s) - ideal(of100k(plan, 2000, 1)); last(r.Resumed) > most {
			t.Errorf("%v: the last that resumed is back after %v, without new ones after %v", plan, last(r.Resumed), last(alone.Resumed))
		}
		if last(r.New) > 2*ideal(s) || r.MaxTries > 10 {
			t.Errorf("%v: the last new one was admitted after %v; the unluckiest client sent %d handshakes", plan, last(r.New), r.MaxTries)
		}
	}
}

// Addresses that come at twice the rate, all with valid tickets, have no more than their share: those that resume and the new
// ones get in about as soon as without them.
func TestAttack(t *testing.T) {
	for _, attackers := range []int{1, 2} {
		s := of100k(storm.Crashed, 1000, 1)
		s.Clients, s.Newcomers = 5000, 1000
		s.Attackers, s.AttackRate = attackers, 2000
		r := run(t, s)
		// Each attacker has a quarter, and the others the rest.
		most := time.Duration(2 * float64(ideal(s)) / (1 - 0.25*float64(attackers)))
		if last(r.Resumed) > most || last(r.New) > most+5*time.Second || r.MaxTries > 12 {
			t.Errorf("%d attackers: the last that resumed came after %v, the last new one after %v; the unluckiest tried %d times",
				attackers, last(r.Resumed), last(r.New), r.MaxTries)
		}
		t.Logf("%d attackers: resumed %v, new %v, %d tries, %d attacks", attackers, last(r.Resumed), last(r.New), r.MaxTries, len(r.Attacks))
	}
}

// Browsers cannot read refusals, and go on trying with delays of their own. A budget for telling them saves most of those
// tries, if it is of the size of the storm.
func TestBrowsers(t *testing.T) {
	s := of100k(storm.Crashed, 2000, 1)
	s.Clients, s.Browsers = 20_000, true
	silent := run(t, s)
	s.Soft = 5000
	told := run(t, s)
	for _, r := range []storm.Result{silent, told} {
		even(t, "admitted", r.Admitted, s.Rate)
		if last(r.Resumed) > 4*ideal(s) {
			t.Errorf("the last is back after %v", last(r.Resumed))
		}
	}
	if len(told.Arrivals) > len(silent.Arrivals)*2/3 {
		t.Errorf("%d handshakes where they are told, %d where they are not", len(told.Arrivals), len(silent.Arrivals))
	}
}

// What happens without any of it, and what the simulation can therefore show: everybody at once, each second.
func TestNaive(t *testing.T) {
	s := of100k(storm.Naive, 2000, 1)
	s.Clients = 10_000
	r := run(t, s)
	if got := storm.Peak(r.Arrivals, tenth); got != s.Clients {
		t.Errorf("%d handshakes within 100 ms, want all %d", got, s.Clients)
	}
	even(t, "admitted", r.Admitted, s.Rate)
}

func TestSameStormAgain(t *testing.T) {
	s := of100k(storm.Crashed, 2000, 7)
	s.Clients, s.Newcomers = 5000, 500
	a, b := run(t, s), run(t, s)
	s.Seed++
	c := run(t, s)
	if !slices.Equal(a.Arrivals, b.Arrivals) || !slices.Equal(a.Admitted, b.Admitted) {
		t.Error("the same storm took another course")
	}
	if slices.Equal(a.Arrivals, c.Arrivals) {
		t.Error("another seed makes the same storm")
	}
	if !slices.IsSorted(a.Arrivals) || !slices.IsSorted(a.Admitted) {
		t.Error("times are not in order")
	}
}

func TestErrors(t *testing.T) {
	s := of100k(storm.Crashed, 2000, 1)
	s.Limit = time.Second
	if r, err := s.Run(); !errors.Is(err, storm.ErrLimit) || len(r.Arrivals) == 0 || last(r.Arrivals) > s.Limit {
		t.Errorf("%d arrivals, %v; want ErrLimit", len(r.Arrivals), err)
	}
	s.Burst = 0
	if _, err := s.Run(); !errors.Is(err, admission.ErrConfig) {
		t.Errorf("%v, want ErrConfig", err)
	}
}
