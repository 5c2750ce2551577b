package backoff_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/backoff"
)

func mustNew(t testing.TB, opts ...backoff.Option) *backoff.Policy {
	t.Helper()
	p, err := backoff.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNewReportsEveryFault(t *testing.T) {
	tests := []struct {
		name string
		opts []backoff.Option
		want []string
	}{
		{"nil option", []backoff.Option{nil}, []string{"option 0 is nil"}},
		{"zero base", []backoff.Option{backoff.WithBase(0)}, []string{"base is 0s"}},
		{"cap below base", []backoff.Option{backoff.WithCap(time.Millisecond)}, []string{"cap is 1ms"}},
		{"negative first", []backoff.Option{backoff.WithFirst(-1)}, []string{"first is -1ns"}},
		{"first over cap", []backoff.Option{backoff.WithFirst(time.Hour)}, []string{"first is 1h0m0s"}},
		{"negative reset", []backoff.Option{backoff.WithResetAfter(-1)}, []string{"reset after is -1ns"}},
		{"strategy", []backoff.Option{backoff.WithStrategy(7)}, []string{"unknown strategy 7"}},
		{
			"all at once",
			[]backoff.Option{
				backoff.WithBase(-1), backoff.WithCap(-2), backoff.WithFirst(-3),
				backoff.WithResetAfter(-4), backoff.WithStrategy(-5), nil,
			},
			[]string{"base is", "cap is", "first is", "reset after is", "unknown strategy -5", "option 5 is nil"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := backoff.New(tt.opts...)
			if p != nil || !errors.Is(err, backoff.ErrOption) {
				t.Fatalf("New = %v, %v; want nil and ErrOption", p, err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not tell of %q", err, w)
				}
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(tt.want) {
				t.Errorf("%d faults, want %d: %v", got, len(tt.want), err)
			}
		})
	}
}

// An option that is forgotten on its way to the policy would leave the delays as they are by default.
func TestEveryOptionHasAnEffect(t *testing.T) {
	longest := func(p *backoff.Policy, skip int) time.Duration {
		var d time.Duration
		for range 300 {
			s := p.Start()
			for range skip {
				s.Next()
			}
			d = max(d, s.Next())
		}
		return d
	}
	within := func(what string, d, lo, hi time.Duration) {
		t.Helper()
		if d < lo || d > hi {
			t.Errorf("%s: longest delay %v, want from %v to %v", what, d, lo, hi)
		}
	}
	const s = time.Second
	// The longest of 300 draws is below nine tenths of its window once in 10^13 runs.
	within("default, first", longest(backoff.Default(), 0), 18*s/10, 2*s)
	within("default, second", longest(backoff.Default(), 1), 9*s/10, s)
	within("default, cap", longest(backoff.Default(), 20), 27*s, 30*s)
	within("New(), first", longest(mustNew(t), 0), 18*s/10, 2*s)
	within("base", longest(mustNew(t, backoff.WithBase(5*s)), 1), 9*s, 10*s)
	within("base, derived first", longest(mustNew(t, backoff.WithBase(5*s)), 0), 18*s, 20*s)
	within("cap", longest(mustNew(t, backoff.WithCap(10*s)), 20), 9*s, 10*s)
	within("cap, derived first", longest(mustNew(t, backoff.WithCap(s)), 0), 9*s/10, s)
	within("first", longest(mustNew(t, backoff.WithFirst(8*s)), 0), 72*s/10, 8*s)
	within("no first", longest(mustNew(t, backoff.WithFirst(0)), 0), 45*s/100, s/2)
}

func TestSeedRepeats(t *testing.T) {
	draw := func(seed uint64) (all []time.Duration) {
		p := mustNew(t, backoff.WithSeed(seed))
		for range 3 {
			s := p.Start()
			for range 10 {
				all = append(all, s.Next())
			}
		}
		return all
	}
	a, b, c := draw(1), draw(1), draw(2)
	same := 0
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("delay %d is %v and then %v", i, a[i], b[i])
		}
		if a[i] == c[i] {
			same++
		}
	}
	if same == len(a) {
		t.Error("another seed gives the same delays")
	}
	if a[0] == a[10] && a[1] == a[11] {
		t.Error("two sequences of one policy give the same delays")
	}
}

func TestStrategyString(t *testing.T) {
	for s, want := range map[backoff.Strategy]string{
		backoff.Full: "full", backoff.Equal: "equal", backoff.Decorrelated: "decorrelated", 9: "Strategy(9)",
	} {
		if got := s.String(); got != want {
			t.Errorf("%d: %q, want %q", int(s), got, want)
		}
	}
}
