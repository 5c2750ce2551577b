package backoff

import (
	"fmt"
	"math"
	"time"
)

// Strategy says how the delays grow and how they are spread. U(a, b) is drawn uniformly from a to b, both included. n
// counts the retries from 0.
//
// The three strategies are those of Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). This
// package differs in Decorrelated. The original cuts the drawn delay at the cap. Two thirds of all clients then wait
// exactly the cap. This package cuts the window instead.
type Strategy int

const (
	// Full waits U(0, min(cap, base·2ⁿ)). It has the widest spread, and puts the least load on the server.
	Full Strategy = iota
	// Equal waits w/2 + U(0, w/2) with w = min(cap, base·2ⁿ). The delay is never less than half the window.
	Equal
	// Decorrelated waits U(base, min(cap, 3·previous)). previous is the delay before, and at first the base. The delay
	// is never less than the base.
	Decorrelated
)

// String returns the strategy in lower case.
func (s Strategy) String() string {
	switch s {
	case Full:
		return "full"
	case Equal:
		return "equal"
	case Decorrelated:
		return "decorrelated"
	}
	return fmt.Sprintf("Strategy(%d)", int(s))
}

func (s Strategy) valid() bool { return s >= Full && s <= Decorrelated }

// bounds returns the least and the longest delay of retry n, where prev is the delay before.
func (p *Policy) bounds(n int, prev time.Duration) (lo, hi time.Duration) {
	switch p.strategy {
	case Equal:
		w := window(p.base, p.cap, n)
		return w / 2, w
	case Decorrelated:
		if prev > p.cap/3 {
			return p.base, p.cap
		}
		return p.base, max(p.base, 3*prev)
	default:
		return 0, window(p.base, p.cap, n)
	}
}

// window is min(limit, base·2ⁿ), for any n.
func window(base, limit time.Duration, n int) time.Duration {
	if n >= 63 || base > limit>>n {
		return limit
	}
	return base << n
}

// add is a + b, or the longest Duration where that is longer. Neither may be negative.
func add(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
