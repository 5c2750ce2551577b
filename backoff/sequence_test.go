package backoff_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/backoff"
)

func TestHint(t *testing.T) {
	const s = time.Second
	p := mustNew(t, backoff.WithFirst(0), backoff.WithCap(s), backoff.WithBase(s))
	seq := p.Start()
	next := func(lo, hi time.Duration) {
		t.Helper()
		if d := seq.Next(); d < lo || d > hi {
			t.Errorf("delay %v, want from %v to %v", d, lo, hi)
		}
	}
	seq.Hint(60*s, 5*s)
	next(60*s, 65*s) // over the cap
	next(0, s)       // once
	seq.Hint(60*s, 0)
	seq.Hint(90*s, 0)
	next(90*s, 90*s) // the latest
	seq.Hint(-s, -s)
	next(0, 0)
	if got := seq.Attempt(); got != 4 {
		t.Errorf("attempt %d, want 4", got)
	}
	seq.Hint(60*s, 0)
	seq.Connected()
	next(0, s) // it was about an earlier connection
	seq.Connected()
	seq.Hint(60*s, 0)
	seq.Disconnected()
	next(60*s, 60*s)
}

func TestHintIsSpread(t *testing.T) {
	p := mustNew(t, backoff.WithSeed(1))
	ds := make([]time.Duration, 4000)
	for i := range ds {
		s := p.Start()
		s.Hint(time.Minute, 10*time.Second)
		ds[i] = s.Next()
	}
	uniform(t, ds, time.Minute, 70*time.Second)
}

// A hint takes the place of one step; the formula goes on with the step after it.
func TestFormulaGoesOnBehindHint(t *testing.T) {
	p := mustNew(t, backoff.WithSeed(1), backoff.WithFirst(0))
	ds := make([]time.Duration, 4000)
	for i := range ds {
		s := p.Start()
		s.Hint(0, 0)
		s.Next()
		ds[i] = s.Next()
	}
	uniform(t, ds, 0, 2*base)
}

func TestReset(t *testing.T) {
	tests := []struct {
		name   string
		lasted time.Duration
		opts   []backoff.Option
		want   int
	}{
		{"lost at once", 0, nil, 5},
		{"lost just before", 30*time.Second - 1, nil, 5},
		{"stable", 30 * time.Second, nil, 0},
		{"by option", 5 * time.Second, []backoff.Option{backoff.WithResetAfter(5 * time.Second)}, 0},
		{"always", 0, []backoff.Option{backoff.WithResetAfter(0)}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mustNew(t, tt.opts...).Start()
				for range 5 {
					s.Next()
				}
				s.Connected()
				time.Sleep(tt.lasted)
				if got := s.Attempt(); got != 5 {
					t.Errorf("attempt %d while connected, want 5", got)
				}
				s.Disconnected()
				if got := s.Attempt(); got != tt.want {
					t.Errorf("attempt %d, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestDisconnectedAloneResetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t, backoff.WithResetAfter(time.Second)).Start()
		s.Connected()
		s.Disconnected()
		s.Next()
		time.Sleep(time.Hour)
		s.Disconnected()
		if got := s.Attempt(); got != 1 {
			t.Errorf("attempt %d, want 1", got)
		}
	})
}

// Decorrelated remembers the delay before, which a reset must forget too.
func TestResetOfDecorrelated(t *testing.T) {
	p := mustNew(t, backoff.WithStrategy(backoff.Decorrelated), backoff.WithFirst(0), backoff.WithResetAfter(0))
	s := p.Start()
	for range 200 {
		for range 20 {
			s.Next()
		}
		s.Connected()
		s.Disconnected()
		if d := s.Next(); d > 3*base {
			t.Fatalf("first delay after a reset is %v", d)
		}
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := backoff.Default().Start()
		s.Hint(7*time.Second, 0)
		start := time.Now()
		if err := s.Wait(t.Context()); err != nil || time.Since(start) != 7*time.Second {
			t.Errorf("Wait = %v after %v", err, time.Since(start))
		}

		cause := errors.New("shut down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(2*time.Second, func() { cancel(cause) })
		s.Hint(time.Hour, 0)
		start = time.Now()
		if err := s.Wait(ctx); err != cause || time.Since(start) != 2*time.Second {
			t.Errorf("Wait = %v after %v", err, time.Since(start))
		}

		s.Hint(0, 0)
		if err := s.Wait(ctx); err != cause {
			t.Errorf("Wait with a context that is done = %v", err)
		}
	})
}

func TestSharedByGoroutines(t *testing.T) {
	p := mustNew(t, backoff.WithSeed(1))
	shared := p.Start()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			own := p.Start()
			for range 100 {
				own.Next()
				shared.Hint(1, 1)
				shared.Next()
				shared.Connected()
			}
		})
	}
	wg.Wait()
	if got := shared.Attempt(); got != 800 {
		t.Errorf("attempt %d, want 800", got)
	}
}
