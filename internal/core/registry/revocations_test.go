package registry

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// reason is not empty: each has an address of its own.
type reason struct{ _ byte }

// TestRevocations plays arrivals and revocations in any order, beside a list of all that happened.
func TestRevocations(t *testing.T) {
	type open struct {
		Arrival
		at int // in the list
	}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var e Revocations[*reason]
		var opened []open
		var revoked []string
		var reasons []*reason
		for range 500 {
			n := rng.IntN(4)
			user, what := strconv.Itoa(n%2), strconv.Itoa(n/2)
			both := user + what
			switch n := rng.IntN(8); {
			case n < 3 && len(opened) < 6:
				opened = append(opened, open{e.Arrive(), len(revoked)})
			case n < 5:
				why := new(reason)
				revoked, reasons = append(revoked, both), append(reasons, why)
				e.Note(user, what, why)
			case len(opened) > 0:
				i := rng.IntN(len(opened))
				o := opened[i]
				var want []*reason // any of them
				for at := o.at; at < len(revoked); at++ {
					if revoked[at] == both {
						want = append(want, reasons[at])
					}
				}
				got := e.Since(o.Arrival, user)[what]
				if (got == nil) != (len(want) == 0) {
					t.Fatalf("seed %d: after %d revocations, Since(%+v, %q) = %v", seed, len(revoked), o, user, got)
				}
				ok := got == nil
				for _, why := range want {
					ok = ok || got == why
				}
				if !ok {
					t.Fatalf("seed %d: the reason is another's", seed)
				}
				e.Done(o.Arrival)
				opened[i] = opened[len(opened)-1]
				opened = opened[:len(opened)-1]
			}
		}
		for _, o := range opened {
			e.Done(o.Arrival)
		}
		if len(e.noted[0])+len(e.noted[1]) > 0 {
			t.Fatalf("seed %d: with nobody on their way in, %v are kept", seed, e.noted)
		}
	}
}

// TestRevocationsForget: arrivals that overlap forever keep no more than what was noted since the oldest of them.
func TestRevocationsForget(t *testing.T) {
	var e Revocations[*reason]
	a := e.Arrive()
	for i := range 1000 {
		next := e.Arrive()
		e.Note(strconv.Itoa(i), "", new(reason))
		e.Done(a)
		a = next
	}
	if n := len(e.noted[0]) + len(e.noted[1]); n > 4 {
		t.Errorf("%d notes are kept", n)
	}
	e.Done(a)
}
