package admission

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// In any w seconds no more than Burst + Rate·w are admitted, whatever comes and however.
func TestRateHolds(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		rate, burst := float64(1+rnd.IntN(2000)), 1+rnd.IntN(100)
		r := newRig(t, Config{Rate: rate, Burst: burst})
		var admitted []time.Time
		for range 1000 {
			r.pass(time.Duration(rnd.ExpFloat64() * float64(time.Second) / rate / 2))
			if rnd.IntN(200) == 0 {
				r.pass(time.Second)
			}
			if _, refusal := r.arrive(someone, rnd.IntN(2) == 0); refusal == nil {
				admitted = append(admitted, r.now)
			}
		}
		for i, from := range admitted {
			for n, to := range admitted[i:] {
				if bound := float64(burst) + rate*to.Sub(from).Seconds(); float64(n+1) > bound+1e-6 {
					t.Fatalf("seed %d: %d admitted in %v, at most %v are allowed", seed, n+1, to.Sub(from), bound)
				}
			}
		}
	}
}

// No token is lost: as many as the rate says get in when there are always some who want to.
func TestRateIsUsed(t *testing.T) {
	for _, resuming := range []bool{true, false} {
		r := newRig(t, Config{Rate: 100, Burst: 10})
		for range 10_000 {
			_, _ = r.arrive(someone, resuming)
			r.pass(time.Millisecond)
		}
		if got := r.Stats().Admitted; got != 1009 {
			t.Errorf("%d admitted in 10 s, want 1009: the burst, then 100 a second", got)
		}
	}
}

func TestBounds(t *testing.T) {
	r := newRig(t, Config{MaxConns: 4, MaxPerIP: 2, MaxHandshakes: 3})
	first := r.admit("192.0.2.1:1", false)
	second := r.admit("192.0.2.1:2", false)
	_ = r.refuse("192.0.2.1:3", false, PerAddress)
	third := r.admit("[2001:db8::1]:1", false)
	_ = r.refuse("192.0.2.2:1", false, Handshakes)
	first.Established(r.Gate)
	second.Established(r.Gate)
	fourth := r.admit("[2001:db8::2]:1", false)
	_ = r.refuse("192.0.2.3:1", true, AtCapacity)
	_ = r.refuse("[2001:db8::3]:1", true, PerAddress)
	third.Done(r.Gate)
	_ = r.refuse("192.0.2.1:3", false, PerAddress)
	fifth := r.admit("[2001:db8::3]:1", true)

	want := Stats{
		Conns: 4, Handshaking: 2, Addresses: 2,
		Admitted: 5, Resumed: 1, PerAddress: 3, Handshakes: 1, AtCapacity: 1,
		WaitingNew: 1, WaitingResuming: 1,
	}
	got := r.Stats()
	got.Owed = 0 // see TestPromisesAreRedeemed
	if got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	for _, ticket := range []*Ticket{&first, &second, &fourth, &fifth} {
		ticket.Done(r.Gate)
	}
	if got := r.Stats(); got.Conns != 0 || got.Handshaking != 0 || got.Addresses != 0 {
		t.Errorf("left behind: %+v", got)
	}
}

// Requests without an address are bound by everything but the address.
func TestUnixSocket(t *testing.T) {
	r := newRig(t, Config{MaxPerIP: 1, MaxConns: 2})
	first, second := r.admit("@", false), r.admit("@", false)
	_ = r.refuse("@", false, AtCapacity)
	first.Done(r.Gate)
	second.Done(r.Gate)
	if got := r.Stats(); got.Conns != 0 {
		t.Errorf("left behind: %+v", got)
	}
}

// What another bound refuses costs no token.
func TestRefusedCostsNoToken(t *testing.T) {
	r := newRig(t, Config{Rate: 1, Burst: 2, MaxPerIP: 1})
	r.admit("192.0.2.1:1", false)
	for range 10 {
		_ = r.refuse("192.0.2.1:1", false, PerAddress)
	}
	r.admit("192.0.2.2:1", false)
}

// While promises to resuming clients are open, new ones leave the tokens to them, but for their share; and what is left
// over goes to the new ones.
func TestResumingComeFirst(t *testing.T) {
	r := newRig(t, Config{Rate: 10, Burst: 5})
	for range 5 {
		r.admit(someone, false)
	}
	for range 20 {
		_ = r.refuse(someone, true, RateLimited)
	}
	r.pass(390 * time.Millisecond) // 3.9 tokens, and nearly one of them is due to new clients
	_ = r.refuse(someone, false, RateLimited)
	r.admit(someone, true)
	r.pass(10 * time.Millisecond) // 3 tokens
	r.admit(someone, false)
	_ = r.refuse(someone, false, RateLimited)
	for range 2 {
		r.admit(someone, true)
	}
	_ = r.refuse(someone, true, RateLimited)
}

// The reserve is no more than what is owed.
func TestReserveShrinks(t *testing.T) {
	r := newRig(t, Config{Rate: 10, Burst: 5})
	for range 5 {
		r.admit(someone, true)
	}
	_ = r.refuse(someone, true, RateLimited)
	_ = r.refuse(someone, true, RateLimited)
	r.pass(300 * time.Millisecond) // 3 tokens, 2 of them reserved
	r.admit(someone, false)
	_ = r.refuse(someone, false, RateLimited)
	r.admit(someone, true)
	r.admit(someone, true)
	r.pass(100 * time.Millisecond)
	r.admit(someone, false)
}

// A minute in which 70 clients that resume and 1,000 new ones come a second, to a gate that admits 100: the first are
// admitted within a few tries, and the rest is for the new ones.
func TestNobodyStarves(t *testing.T) {
	r := newRig(t, Config{Rate: 100, Burst: 10})
	rnd := rand.New(rand.NewPCG(1, 1))
	again := make(map[int][]int) // tries of those who return at a millisecond
	tries, left := 0, 0
	for ms := range 60_000 {
		r.pass(time.Millisecond)
		if rnd.Float64() < 0.07 {
			again[ms] = append(again[ms], 0)
			left++
		}
		for _, n := range again[ms] {
			tries = max(tries, n+1)
			if _, refusal := r.arrive(someone, true); refusal != nil {
				back := ms + 1 + int((refusal.RetryAfter+refusal.Spread)/time.Millisecond)
				again[back] = append(again[back], n+1)
			} else {
				left--
			}
		}
		_, _ = r.arrive(someone, false)
	}
	s := r.Stats()
	if left > 20 || tries > 10 {
		t.Errorf("%d that resume are left, the unluckiest tried %d times", left, tries)
	}
	if s.Admitted < 5990 || s.Admitted-s.Resumed < 1500 {
		t.Errorf("%d admitted, %d of them new", s.Admitted, s.Admitted-s.Resumed)
	}
	t.Logf("%d left, %d tries, %+v", left, tries, s)
}

func TestSoft(t *testing.T) {
	r := newRig(t, Config{Rate: 1, Burst: 1, Soft: 3, MaxPerIP: 1})
	r.admit("192.0.2.1:1", false)
	soft := func(n int) int {
		count := 0
		for i := range n {
			_, refusal := r.Arrive(browser(fmt.Sprintf("192.0.2.%d:1", 2+i)), true)
			if refusal == nil {
				t.Fatal("admitted")
			}
			if refusal.Soft {
				count++
			}
		}
		return count
	}
	if got := soft(10); got != 3 {
		t.Errorf("%d soft refusals at once, want 3", got)
	}
	r.pass(500 * time.Millisecond)
	if got := soft(10); got != 1 {
		t.Errorf("%d soft refusals half a second later, want 1", got)
	}
	// Those that cannot be told make no promises, or each of their tries would push everybody back.
	s := r.Stats()
	if s.Owed != 4 || s.Soft != 4 || s.RateLimited != 20 {
		t.Errorf("stats %+v, want 4 owed", s)
	}
	// The budget is not for clients that read headers, nor for an address that has enough.
	r.pass(time.Second / 2)
	if _, refusal := r.Arrive(browser("192.0.2.1:2"), false); refusal == nil || refusal.Reason != PerAddress || refusal.Soft {
		t.Errorf("refused with %+v", refusal)
	}
	r.admit("192.0.2.50:1", true)
	if refusal := r.refuse("192.0.2.60:1", true, RateLimited); refusal.Soft {
		t.Error("a soft refusal for a client that sent no origin")
	}
}

// Without Soft no browser is let in to be told.
func TestSoftIsOffByDefault(t *testing.T) {
	r := newRig(t, Config{Rate: 1, Burst: 1})
	r.admit(someone, false)
	if _, refusal := r.Arrive(browser(someone), false); refusal == nil || refusal.Soft {
		t.Errorf("refused with %+v", refusal)
	}
}

// The clock is time.Now unless another is given, and may stand still or go back.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := New(Config{Rate: 10, Burst: 1})
		if err != nil {
			t.Fatal(err)
		}
		arrive := func() bool {
			_, refusal := g.Arrive(request(someone), true)
			return refusal == nil
		}
		if !arrive() || arrive() {
			t.Error("not one at once")
		}
		time.Sleep(99 * time.Millisecond)
		if arrive() {
			t.Error("too early")
		}
		time.Sleep(time.Millisecond)
		if !arrive() || arrive() {
			t.Error("not one after 100 ms")
		}
	})
	r := newRig(t, Config{Rate: 10, Burst: 1})
	r.admit(someone, true)
	r.pass(-time.Hour)
	_ = r.refuse(someone, true, RateLimited)
	r.pass(time.Hour + 100*time.Millisecond)
	r.admit(someone, true)
	_ = r.refuse(someone, true, RateLimited)
}

// Who renews a token counts as a handshake meanwhile, and has no place in the queue if that is refused.
func TestRenew(t *testing.T) {
	r := newRig(t, Config{MaxHandshakes: 1})
	first := r.admit("192.0.2.1:1", false)
	if !first.Renew(r.Gate) {
		t.Error("its handshake is under way already")
	}
	first.Established(r.Gate)
	second := r.admit("192.0.2.2:1", false)
	if first.Renew(r.Gate) {
		t.Error("renewed beyond the bound")
	}
	second.Established(r.Gate)
	if !first.Renew(r.Gate) || second.Renew(r.Gate) {
		t.Error("not one of two was renewed")
	}
	if got, want := r.Stats(), (Stats{Conns: 2, Handshaking: 1, Addresses: 0, Admitted: 2, Verifiers: 2}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	first.Established(r.Gate)
	first.Done(r.Gate)
	second.Done(r.Gate)
	if got := r.Stats(); got.Conns != 0 || got.Handshaking != 0 {
		t.Errorf("left behind: %+v", got)
	}
	if !(&Ticket{}).Renew(nil) {
		t.Error("a ticket of no gate was refused")
	}
}
