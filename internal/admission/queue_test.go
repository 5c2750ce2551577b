package admission

import (
	"math/rand/v2"
	"testing"
	"time"
)

// busy returns a gate of 8 places a second whose tokens are used up.
func busy(t *testing.T) *rig {
	r := newRig(t, Config{Rate: 10, Burst: 1})
	r.admit(someone, true)
	return r
}

const each = 125 * time.Millisecond

func TestPlaces(t *testing.T) {
	r := busy(t)
	near(t, "new 1", r.refuse(someone, false, RateLimited).RetryAfter, each)
	near(t, "new 2", r.refuse(someone, false, RateLimited).RetryAfter, 2*each)
	// While new clients wait, three of four places are for those that resume.
	near(t, "resuming 1 comes before them", r.refuse(someone, true, RateLimited).RetryAfter, each*4/3)
	near(t, "resuming 2", r.refuse(someone, true, RateLimited).RetryAfter, 2*each*4/3)
	near(t, "new 3 comes behind all", r.refuse(someone, false, RateLimited).RetryAfter, 5*each)
	if s := r.Stats(); s.WaitingResuming != 2 || s.WaitingNew != 3 {
		t.Errorf("waiting: %+v", s)
	}
	// 0.375 s later the resuming ones and a new one are through, whatever came in between.
	r.pass(each)
	_ = r.Stats()
	r.pass(2 * each)
	r.tokens.tokens = -1000 // whether they get in is not the question here
	if s := r.Stats(); s.WaitingResuming != 0 || s.WaitingNew != 2 {
		t.Errorf("waiting: %+v", s)
	}
	near(t, "resuming 3", r.refuse(someone, true, RateLimited).RetryAfter, each*4/3)
	r.pass(time.Hour)
	r.tokens.tokens = -1e6
	near(t, "nobody waits any more", r.refuse(someone, false, RateLimited).RetryAfter, each)
}

// Places of resuming clients are apart, whatever comes in between, and new ones put resuming clients off by no more than their share
// does: the schedule is never behind one of three quarters of the places.
func TestPlacesHold(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		mixed, slow := busy(t), newRig(t, Config{Rate: 7.5, Burst: 1})
		var last time.Time
		for range 1000 {
			d := time.Duration(rnd.ExpFloat64() * float64(each))
			for _, r := range []*rig{mixed, slow} {
				r.pass(d)
				r.tokens.tokens = -1e6
			}
			resuming := rnd.IntN(2) == 0
			refusal := mixed.refuse(someone, resuming, RateLimited)
			if !resuming {
				continue
			}
			place := mixed.now.Add(refusal.RetryAfter)
			if place.Before(last.Add(each - time.Microsecond)) {
				t.Fatalf("seed %d: clients at %v and %v", seed, last, place)
			}
			last = place
			if most := slow.refuse(someone, true, RateLimited).RetryAfter; refusal.RetryAfter > most+time.Microsecond {
				t.Fatalf("seed %d: %v, with the new ones' share taken away %v", seed, refusal.RetryAfter, most)
			}
		}
	}
}

// Spreads are small beside the waits, and nothing is longer than MaxWait. Where no more places are to be had,
// clients are sent away for as long as may be, not all for the same time.
func TestWaitsAreBounded(t *testing.T) {
	r := busy(t)
	full := 0
	for range 10_000 {
		refusal := r.refuse(someone, true, RateLimited)
		if refusal.RetryAfter <= 0 || refusal.Spread < 0 || refusal.RetryAfter+refusal.Spread > MaxWait {
			t.Fatalf("refused for %v + %v", refusal.RetryAfter, refusal.Spread)
		}
		if refusal.RetryAfter == MaxWait/2 && refusal.Spread == MaxWait/2 {
			full++
		} else if refusal.Spread > refusal.RetryAfter/10 {
			t.Fatalf("refused for %v + %v", refusal.RetryAfter, refusal.Spread)
		}
	}
	if want := 10_000 - int(MaxWait/each); full < want || full > want+1 {
		t.Errorf("%d got no place, want %d", full, want)
	}
	// The new ones have a share of their own.
	near(t, "a new client", r.refuse(someone, false, RateLimited).RetryAfter, 4*each)
	// No-shows hold nobody up for longer than that.
	r.pass(MaxWait + each)
	r.tokens.tokens = -1e6
	near(t, "after the longest wait", r.refuse(someone, true, RateLimited).RetryAfter, each)
}

// An address that has enough does not push the others back by trying.
func TestCrowdedGetNoPlace(t *testing.T) {
	r := newRig(t, Config{Rate: 10, Burst: 1, MaxPerIP: 1})
	r.admit(someone, true)
	for range 1000 {
		if refusal := r.refuse(someone, true, PerAddress); refusal.RetryAfter != 10*time.Second || refusal.Spread != 10*time.Second {
			t.Fatalf("refused with %+v", refusal)
		}
	}
	near(t, "somebody else", r.refuse("192.0.2.2:1", false, RateLimited).RetryAfter, each)
}

// Where there is no telling when there will be room, clients do not come back at once, and come in the order of the queue.
func TestPauses(t *testing.T) {
	for why, config := range map[Reason]Config{
		AtCapacity: {MaxConns: 1},
		Handshakes: {MaxHandshakes: 1},
	} {
		r := newRig(t, config)
		r.admit(someone, true)
		refusal := r.refuse(someone, true, why)
		if refusal.RetryAfter != why.pause() || refusal.Spread != why.pause() || why.pause() < time.Second {
			t.Errorf("%v: refused with %+v", why, refusal)
		}
		for range 10*pace - 1 {
			refusal = r.refuse(someone, true, why)
		}
		near(t, why.String(), refusal.RetryAfter, 10*time.Second*10/8)
	}
}

// Who is admitted before any promise is due had none.
func TestPromisesAreRedeemed(t *testing.T) {
	r := busy(t)
	_ = r.refuse(someone, true, RateLimited)
	r.pass(each - 25*time.Millisecond)
	r.admit(someone, true)
	if got := r.Stats().Owed; got != 1 {
		t.Fatalf("%d owed before the time, want 1", got)
	}
	r.pass(each)
	r.admit(someone, true)
	for range 3 {
		_ = r.refuse(someone, true, RateLimited)
	}
	for owed := 3; owed >= 0; owed-- {
		if got := r.Stats().Owed; got != owed {
			t.Fatalf("%d owed, want %d", got, owed)
		}
		r.pass(each)
		r.admit(someone, true)
	}
	if got := r.Stats().Owed; got != 0 {
		t.Errorf("%d owed", got)
	}
}

// A client that comes as late as it was told to finds its promise open; one that does not come is forgotten.
func TestPromisesExpire(t *testing.T) {
	r := busy(t)
	refusal := r.refuse(someone, true, RateLimited)
	header := refusal.RetryAfter.Truncate(time.Second) + time.Second
	r.pass(header + max(time.Second, header/2))
	if got := r.Stats().Owed; got != 1 {
		t.Errorf("%d owed when the client comes", got)
	}
	// A stream of no-shows: what is owed stays bounded by what was promised lately.
	most := 0
	for range 3000 {
		r.tokens.tokens = -1e6
		_ = r.refuse(someone, true, RateLimited)
		r.pass(time.Second)
		most = max(most, r.Stats().Owed)
	}
	if most > 10 {
		t.Errorf("%d owed in a stream of one a second", most)
	}
	// Each expires at its own end.
	r.pass(refusal.RetryAfter + refusal.Spread + grace(refusal.RetryAfter+refusal.Spread) + promiseSlot)
	if got := r.Stats().Owed; got != 0 {
		t.Errorf("%d owed for ever", got)
	}
}
