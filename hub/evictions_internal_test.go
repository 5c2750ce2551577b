package hub

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestEvictions plays arrivals and evictions in any order, beside a list of all that happened.
func TestEvictions(t *testing.T) {
	type open struct {
		arrival
		at int // in the list
	}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var e evictions
		var opened []open
		var evicted []string
		var reasons []*CloseError
		for range 500 {
			user := strconv.Itoa(rng.IntN(4))
			switch n := rng.IntN(8); {
			case n < 3 && len(opened) < 6:
				opened = append(opened, open{e.arrive(), len(evicted)})
			case n < 5:
				why := &CloseError{}
				evicted, reasons = append(evicted, user), append(reasons, why)
				e.note(user, why)
			case len(opened) > 0:
				i := rng.IntN(len(opened))
				o := opened[i]
				var want []*CloseError // any of them
				for at := o.at; at < len(evicted); at++ {
					if evicted[at] == user {
						want = append(want, reasons[at])
					}
				}
				got := e.after(o.arrival, user)
				if (got == nil) != (len(want) == 0) {
					t.Fatalf("seed %d: after %d evictions, after(%+v, %q) = %v", seed, len(evicted), o, user, got)
				}
				ok := got == nil
				for _, why := range want {
					ok = ok || got == why
				}
				if !ok {
					t.Fatalf("seed %d: the reason is another's", seed)
				}
				e.done(o.arrival)
				opened[i] = opened[len(opened)-1]
				opened = opened[:len(opened)-1]
			}
		}
		for _, o := range opened {
			e.done(o.arrival)
		}
		if len(e.noted[0])+len(e.noted[1]) > 0 {
			t.Fatalf("seed %d: with nobody on their way in, %v are kept", seed, e.noted)
		}
	}
}

// TestEvictionsForgets: arrivals that overlap forever keep no more than what was noted since the oldest of them.
func TestEvictionsForgets(t *testing.T) {
	var e evictions
	a := e.arrive()
	for i := range 1000 {
		next := e.arrive()
		e.note(strconv.Itoa(i), &CloseError{})
		e.done(a)
		a = next
	}
	if n := len(e.noted[0]) + len(e.noted[1]); n > 4 {
		t.Errorf("%d notes are kept", n)
	}
	e.done(a)
}
