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

// ErrPolicy matches every error about a Policy.
var ErrPolicy = errors.New("heartbeat: invalid policy")

// Policy sets when a silent peer is pinged and when it expires.
type Policy struct {
	// Interval is how long a peer may be silent before the monitor pings it.
	Interval time.Duration
	// Timeout is how long after the ping the peer expires if nothing is heard. It is at most Interval.
	Timeout time.Duration
	// Tick is the grain of time. Interval and Timeout are rounded up to it. In each tick the monitor handles the peers
	// that are due. Zero means a hundredth of Timeout, and at least 1 ms.
	Tick time.Duration

	disabled bool
}

// Default returns the policy of 25 s and 10 s. It is below the 30 to 60 s after which proxies and NATs forget a
// silent connection.
func Default() Policy { return Policy{Interval: DefaultInterval, Timeout: DefaultTimeout} }

// Disabled returns the policy with which a monitor pings no peer, and no peer expires. The zero Policy is invalid, not
// disabled.
func Disabled() Policy { return Policy{disabled: true} }

// Enabled reports whether p is not Disabled().
func (p Policy) Enabled() bool { return !p.disabled }

// Validate returns all faults of the policy, joined. Each matches ErrPolicy.
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

// MaxSilence returns the longest time that a peer can be silent before it expires, in a process that gets its share
// of CPU. It is Interval and Timeout, each rounded up to whole ticks, plus two ticks. It is zero if the policy is
// disabled or invalid.
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
