package heartbeat

import (
	"errors"
	"fmt"
	"time"
)

// Defaults of a Policy.
const (
	DefaultInterval = 25 * time.Second
	DefaultTimeout  = 10 * time.Second
)

const (
	minTick  = time.Millisecond
	maxTicks = 1 << 16
)

// ErrPolicy matches every complaint about a Policy.
var ErrPolicy = errors.New("heartbeat: invalid policy")

// Policy says when silence is answered with a ping and when with the end.
type Policy struct {
	// Interval is how long a peer may be silent before it is sent a ping.
	Interval time.Duration
	// Timeout is how long after the ping something must be heard; at most Interval.
	Timeout time.Duration
	// Tick is the grain of time, to which Interval and Timeout are rounded up; each tick, those due are
	// looked after. Zero means a hundredth of Timeout, and at least 1 ms.
	Tick time.Duration

	disabled bool
}

// Default returns the policy of 25 s and 10 s: below the 30 to 60 s after which proxies and NATs
// forget a silent connection.
func Default() Policy { return Policy{Interval: DefaultInterval, Timeout: DefaultTimeout} }

// Disabled returns the policy under which nobody is pinged and nobody expires. The zero Policy is not
// that but a fault.
func Disabled() Policy { return Policy{disabled: true} }

// Enabled reports whether p is other than Disabled.
func (p Policy) Enabled() bool { return !p.disabled }

// Validate returns every fault of the policy, joined; each matches ErrPolicy.
func (p Policy) Validate() error {
	if p.disabled {
		if p != Disabled() {
			return fmt.Errorf("%w: disabled, but times are set", ErrPolicy)
		}
		return nil
	}
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrPolicy}, args...)...))
	}
	if p.Interval < minTick {
		fault("interval is %v, must be at least %v", p.Interval, minTick)
	}
	if p.Timeout < minTick {
		fault("timeout is %v, must be at least %v", p.Timeout, minTick)
	}
	if p.Tick < 0 || p.Tick > 0 && p.Tick < minTick {
		fault("tick is %v, must be zero or at least %v", p.Tick, minTick)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	// The answer to a ping is noticed at its deadline, which must not be later than the next ping.
	if p.Timeout > p.Interval {
		fault("timeout is %v, must not be longer than the interval, %v", p.Timeout, p.Interval)
	}
	if p.Tick > p.Timeout {
		fault("tick is %v, must not be longer than the timeout, %v", p.Tick, p.Timeout)
	}
	if n := p.Interval / p.tick(); n > maxTicks {
		fault("interval is %v, which are %d ticks of %v; at most %d are allowed", p.Interval, n, p.tick(), maxTicks)
	}
	return errors.Join(faults...)
}

// MaxSilence returns the longest that a peer can be silent before it is expired, in a process that
// gets its share of CPU: Interval and Timeout, each rounded up to whole ticks, and two ticks. It is
// zero where the policy is disabled or invalid.
func (p Policy) MaxSilence() time.Duration {
	if p.disabled || p.Validate() != nil {
		return 0
	}
	t := p.tick()
	return t * (ticks(p.Interval, t) + ticks(p.Timeout, t) + 2)
}

func (p Policy) tick() time.Duration {
	if p.Tick > 0 {
		return p.Tick
	}
	return max(p.Timeout/100, minTick)
}

// ticks is how many ticks d takes, rounded up.
func ticks(d, tick time.Duration) time.Duration { return (d-1)/tick + 1 }
