package rate

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	const s = time.Second
	l := New(10, 5)
	var b Bucket
	for i, tt := range []struct {
		now  time.Duration
		n    int
		wait time.Duration // zero: it is allowed
	}{
		{0, 5, 0},
		{0, 1, s / 10},
		{0, 3, 3 * s / 10},
		{s / 10, 1, 0},
		{s / 10, 1, s / 10},
		{10 * s, 5, 0},
		{10 * s, 1, s / 10},
		{20 * s, 6, s / 10}, // never
	} {
		wait, ok := b.Take(tt.now, tt.n, l)
		if wait != tt.wait || ok != (tt.wait == 0) {
			t.Errorf("step %d: take %d at %v: %v, %t, want %v", i, tt.n, tt.now, wait, ok, tt.wait)
		}
	}
}

// TestRefused: what is refused counts until the bucket is full again; what is only tried does not.
func TestRefused(t *testing.T) {
	l := New(10, 5)
	var b Bucket
	b.Take(0, 5, l)
	if wait, ok := b.Try(0, 1, l); ok || wait != 100*time.Millisecond || b.Refusing(0) {
		t.Errorf("tried: %v, %t, refusing: %t", wait, ok, b.Refusing(0))
	}
	for i := range 6 {
		if b.Stubborn(l) {
			t.Errorf("stubborn after %d refusals", i)
		}
		if _, ok := b.Take(0, 1, l); ok || !b.Refusing(0) {
			t.Errorf("refusal %d: allowed: %t, refusing: %t", i, ok, b.Refusing(0))
		}
	}
	if !b.Stubborn(l) {
		t.Error("not stubborn after a burst that was refused")
	}
	if b.Refusing(500 * time.Millisecond) {
		t.Error("still refusing when the bucket is full")
	}
	if _, ok := b.Take(time.Second, 1, l); !ok || b.Stubborn(l) {
		t.Error("what was refused is held against a bucket that was full since")
	}
}

func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		limit     Limit
		enabled   bool
		perSecond float64
		burst     int
		fits      int // at most
	}{
		{Limit{}, false, 0, 0, 1 << 30},
		{New(100, 200), true, 100, 200, 200},
		{New(0.001, 1), true, 0.001, 1, 1},
		{New(0.0001, 3), true, 0.0001, 3, 3}, // too small to be rounded
		{New(1.0/3, 2), true, 0.333, 2, 2},
	} {
		perSecond, burst := tt.limit.Announced()
		if tt.limit.Enabled() != tt.enabled || perSecond != tt.perSecond || burst != tt.burst {
			t.Errorf("%+v: enabled %t, announced %v and %d, want %+v", tt.limit, tt.limit.Enabled(), perSecond, burst, tt)
		}
		if !tt.limit.Fits(tt.fits) || tt.enabled && tt.limit.Fits(tt.fits+1) {
			t.Errorf("%+v: %d is not the most that fits", tt.limit, tt.fits)
		}
	}
}

// TestOwe: what is owed may be more than the burst, and has to be waited for. It works off what was refused.
func TestOwe(t *testing.T) {
	const s = time.Second
	l := New(10, 5)
	var b Bucket
	b.Owe(0, 12.5, l)
	if wait, ok := b.Take(0, 1, l); ok || wait != 850*time.Millisecond {
		t.Errorf("a message after 12.5 of 5: %v, %t", wait, ok)
	}
	for range 5 {
		b.Take(0, 1, l)
	}
	if !b.Stubborn(l) {
		t.Error("six refused of a burst of five are not stubborn")
	}
	if b.Owe(0, 2, l); b.Stubborn(l) || !b.Refusing(0) {
		t.Error("what is owed works nothing off, or all")
	}
	if b.Owe(0, 10, l); b.Refusing(0) {
		t.Error("what is owed does not work off all")
	}
	b.Owe(0, 1e300, l)
	b.Owe(0, 1e300, l)
	if _, ok := b.Take(48*time.Hour+5*s, 5, l); !ok {
		t.Error("more than two days are owed")
	}
}
