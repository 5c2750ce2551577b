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

// ErrOption matches every complaint of New and Retry about their options.
var ErrOption = errors.New("backoff: invalid option")

// Policy says how long to wait between tries. It does not change once made and may be shared by any
// number of goroutines; [Policy.Start] makes the state that one connection keeps.
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

// Option sets one thing of a Policy.
type Option func(*Policy)

// WithBase sets the window of the formula at its start; the default is 500 ms.
func WithBase(d time.Duration) Option { return func(p *Policy) { p.base = d } }

// WithCap sets the longest delay that the policy itself gives; the default is 30 s. A hint may be
// longer.
func WithCap(d time.Duration) Option { return func(p *Policy) { p.cap = d } }

// WithFirst sets the window of the first retry, which is U(0, d) whatever the strategy: those who
// lost their connection at the same moment come back spread over it. Zero leaves the first retry
// to the strategy. The default is 2 s with the default base, and otherwise four times the base
// or the cap, whichever is less.
func WithFirst(d time.Duration) Option {
	return func(p *Policy) { p.first, p.firstSet = d, true }
}

// WithStrategy sets how the windows grow and how they are drawn from; the default is Full.
func WithStrategy(s Strategy) Option { return func(p *Policy) { p.strategy = s } }

// WithResetAfter sets how long a connection must have lasted before a sequence starts anew; the
// default is 30 s. With zero every connection made is enough.
func WithResetAfter(d time.Duration) Option { return func(p *Policy) { p.resetAfter = d } }

// WithSeed makes the delays repeatable, for tests and simulations: the nth sequence started from the
// policy always draws the same numbers, independent of those of other sequences. Without it they
// come from math/rand/v2's global source.
func WithSeed(seed uint64) Option {
	return func(p *Policy) { p.seed, p.seeded = seed, true }
}

// New makes a policy of the defaults and the options. The error joins every fault found and matches
// ErrOption.
func New(opts ...Option) (*Policy, error) {
	p := &Policy{base: DefaultBase, cap: DefaultCap, resetAfter: DefaultResetAfter, strategy: Full}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("%w: option %d is nil", ErrOption, i))
			continue
		}
		o(p)
	}
	faults = append(faults, p.faults()...)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
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

func (p *Policy) faults() (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrOption}, args...)...))
	}
	if p.base <= 0 {
		fault("base is %v, must be positive", p.base)
	}
	if p.cap < p.base {
		fault("cap is %v, must not be less than the base, %v", p.cap, p.base)
	}
	if p.first < 0 || p.first > max(p.cap, 0) {
		fault("first is %v, must be from 0 to the cap, %v", p.first, p.cap)
	}
	if p.resetAfter < 0 {
		fault("reset after is %v, must not be negative", p.resetAfter)
	}
	if !p.strategy.valid() {
		fault("unknown strategy %d", int(p.strategy))
	}
	return faults
}
