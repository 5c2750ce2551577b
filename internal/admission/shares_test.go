package admission

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// One address comes at twice the rate and says each time that it resumes, or says nothing. New clients of other addresses and
// one that resumes come meanwhile: they wait for little more than if it did not.
func TestOneAddressDoesNotCrowdOut(t *testing.T) {
	for _, resuming := range []bool{true, false} {
		t.Run(fmt.Sprint("resuming ", resuming), func(t *testing.T) {
			r := newRig(t, Config{Rate: 50, Burst: 5})
			const attacker = "198.51.100.1:1"
			hammer := func(d time.Duration) {
				for range int(d.Seconds() * 100) {
					r.pass(10 * time.Millisecond)
					_, _ = r.arrive(attacker, resuming)
				}
			}
			hammer(5 * time.Minute) // alone: all the rate is its own
			if got := r.Stats(); got.Admitted < 50*300 || got.Beyond != 0 {
				t.Errorf("alone: %+v", got)
			}
			var worst time.Duration
			come := func(addr string, resuming bool) {
				var waited time.Duration
				for tries := 0; ; tries++ {
					_, refusal := r.arrive(addr, resuming)
					if refusal == nil {
						break
					}
					if tries == 10 {
						t.Fatalf("%s was refused for %v", addr, refusal.RetryAfter)
					}
					wait := refusal.RetryAfter.Truncate(time.Second) + time.Second // as a Retry-After header says it
					waited += wait
					hammer(wait)
				}
				worst = max(worst, waited)
			}
			for i := range 119 {
				come(fmt.Sprintf("192.0.2.%d:1", i), false)
				if i%10 == 0 {
					come("203.0.113.1:1", true)
				}
				hammer(200 * time.Millisecond)
			}
			if worst > 3*time.Second {
				t.Errorf("somebody waited for %v", worst)
			}
			if got := r.Stats(); got.Beyond == 0 {
				t.Errorf("nobody was beyond its share: %+v", got)
			}
		})
	}
}

// Those who say that they resume come from everywhere at twice the rate, and none keeps a promise. New clients have their
// share all the same.
func TestNewClientsHaveAShare(t *testing.T) {
	r := newRig(t, Config{Rate: 100, Burst: 10})
	rnd := rand.New(rand.NewPCG(1, 1))
	address := func() string { return fmt.Sprintf("10.%d.%d.1:1", rnd.IntN(256), rnd.IntN(256)) }
	again := make(map[int]int) // new clients that return at a millisecond
	came, left := 0, 0
	for ms := range 120_000 {
		r.pass(time.Millisecond)
		if ms%5 == 0 {
			_, _ = r.arrive(address(), true)
		}
		fresh := again[ms]
		if ms%50 == 0 && ms < 110_000 { // 20 a second
			fresh++
			came++
			left++
		}
		for range fresh {
			if _, refusal := r.arrive(address(), false); refusal != nil {
				again[ms+1+int((refusal.RetryAfter+refusal.Spread/2)/time.Millisecond)]++
				continue
			}
			left--
		}
	}
	if left > came/50 {
		t.Errorf("%d of %d new clients are left: %+v", left, came, r.Stats())
	}
}

// What one address has beyond its share is not lost if nobody else wants it, and comes back to it when the others are gone.
func TestShareIsNoCap(t *testing.T) {
	r := newRig(t, Config{Rate: 100, Burst: 10, AddressRate: 10, AddressBurst: 1})
	r.admit("192.0.2.2:1", false)
	count := func() (n int) {
		for range 10_000 {
			r.pass(time.Millisecond)
			if _, refusal := r.arrive(someone, true); refusal == nil {
				n++
			}
		}
		return n
	}
	if got := count(); got < 990 || got > 1010 {
		t.Errorf("%d admitted in 10 s at 100 a second beside one other", got)
	}
	r.pass(company)
	beyond := r.Stats().Beyond
	if got := count(); got < 1000 || r.Stats().Beyond != beyond {
		t.Errorf("%d admitted in 10 s, alone again; %d beyond their share", got, r.Stats().Beyond-beyond)
	}
}

// However many addresses come, those within their share are known as such.
func TestManyAddresses(t *testing.T) {
	s := newShares(10, 2)
	rnd := rand.New(rand.NewPCG(1, 1))
	wrong := 0
	for i := range 100_000 { // 2,000 a second: two in each cell
		if now := time.Duration(i) * time.Second / 2000; !s.within(now, rnd.Uint64()) {
			wrong++
		}
	}
	if wrong > 100 {
		t.Errorf("%d of 100,000 addresses that come once were beyond their share", wrong)
	}
}
