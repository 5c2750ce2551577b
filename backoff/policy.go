package backoff

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Defaults of a Policy.
const (
	DefaultBase       = 500 * time.Millisecond
	DefaultCap        = 30 * time.Second
	DefaultFirst      = 2 * time.Second
	DefaultResetAfter = 30 * time.Second
)

// ErrOption matches every error of New and Retry about their options.
var ErrOption = errors.New("backoff: invalid option")

// Policy says how long to wait between tries. A policy never changes, so any number of goroutines may share it.
// [Policy.Start] makes the state of one connection.
type Policy struct {
	base       time.Duration
	cap        time.Duration
	first      time.Duration
	resetAfter time.Duration
	strategy   Strategy

	firstSet bool
	seeded   bool
	seed     uint64
	starts   atomic.Uint64 // numbers the sequences of a seeded policy
}

// Option configures a Policy. New reports every fault of every option together.
type Option func(*Policy) error

// WithBase sets the window of the formula at its start. The default is 500 ms. It must be positive.
func WithBase(d time.Duration) Option {
	return func(p *Policy) error {
		p.base = d
		return require(d > 0, "base is %v, must be positive", d)
	}
}

// WithCap sets the longest delay that the policy itself gives. The default is 30 s. A hint may be longer. The cap
// must not be less than the base.
func WithCap(d time.Duration) Option {
	return func(p *Policy) error {
		p.cap = d
		return nil
	}
}

// WithFirst sets the window of the first retry, which is U(0, d) with every strategy. Clients that lost their
// connection at the same moment reconnect spread over it. With zero the first retry waits as the strategy says. The
// default is 2 s with the default base. With another base it is four times the base or the cap, whichever is less. d
// must not be above the cap.
func WithFirst(d time.Duration) Option {
	return func(p *Policy) error {
		p.first, p.firstSet = d, true
		return nil
	}
}

// WithStrategy sets how the windows grow, and how delays are drawn from them. The default is Full.
func WithStrategy(s Strategy) Option {
	return func(p *Policy) error {
		p.strategy = s
		return require(s.valid(), "unknown strategy %d", int(s))
	}
}

// WithResetAfter sets how long a connection must last for its sequence to start anew. The default is 30 s. With zero
// every connection is enough. d must not be negative.
func WithResetAfter(d time.Duration) Option {
	return func(p *Policy) error {
		p.resetAfter = d
		return require(d >= 0, "reset after is %v, must not be negative", d)
	}
}

// WithSeed makes the delays repeatable, for tests and simulations. The nth sequence started from the policy always draws
// the same numbers, independent of those of other sequences. By default they come from math/rand/v2's global source.
func WithSeed(seed uint64) Option {
	return func(p *Policy) error {
		p.seed, p.seeded = seed, true
		return nil
	}
}

// require returns the fault of an option, unless all is well.
func require(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%w: "+format, append([]any{ErrOption}, args...)...)
}

// New returns a policy with the options, and the defaults for the rest. The error joins every fault and matches
// ErrOption.
func New(opts ...Option) (*Policy, error) {
	p := &Policy{base: DefaultBase, cap: DefaultCap, resetAfter: DefaultResetAfter, strategy: Full}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, require(false, "option %d is nil", i))
			continue
		}
		faults = append(faults, o(p))
	}
	faults = append(faults,
		require(p.cap >= p.base, "cap is %v, must not be less than the base, %v", p.cap, p.base),
		require(p.first >= 0 && p.first <= max(p.cap, 0), "first is %v, must be from 0 to the cap, %v", p.first, p.cap))
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if !p.firstSet {
		p.first = window(p.base, p.cap, 2)
	}
	return p, nil
}

// Default returns a policy with the defaults: full jitter, base 500 ms, cap 30 s, first retry within
// 2 s, reset after 30 s of a stable connection.
func Default() *Policy {
	return &Policy{
		base:       DefaultBase,
		cap:        DefaultCap,
		first:      DefaultFirst,
		resetAfter: DefaultResetAfter,
		strategy:   Full,
	}
}
