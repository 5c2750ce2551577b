package preflight

import (
	"errors"
	"io/fs"
	"math"
	"runtime"
	"strconv"
)

const (
	// defaultTarget is where the lines lead when nobody asked for a number.
	defaultTarget = 1_000_000
	// leastTarget keeps them sensible where next to nothing is left.
	leastTarget = 1_000
)

// Check reads the limits and returns a report. It blocks only to read small files, usually for less than 1 ms. The
// only error is about faulty options and matches ErrOption.
func Check(opts ...Option) (Report, error) {
	c, err := configure(opts)
	if err != nil {
		return Report{}, err
	}
	return newMachine(c).report(), nil
}

// finding is a limit that knows how to be raised.
type finding struct {
	Limit
	// raise fills in the lines, if any are needed, for goal connections.
	raise func(l *Limit, goal int64)
	// memory marks what is bounded by memory, which no default target goes beyond.
	memory bool
	left   int64 // bytes of it
}

func (m *machine) report() Report {
	r := Report{
		OS:         m.os,
		SafeConns:  Unknown,
		ConnBytes:  clamp(m.config.connBytes()),
		MemoryLeft: Unknown,
	}
	var findings []finding
	findings, r.Descriptors = m.descriptors()
	if m.files != nil {
		findings = append(findings, m.memory()...)
		findings = append(findings, m.network()...)
	}

	allowed := int64(Unlimited) // by memory
	for _, f := range findings {
		switch {
		case f.bounds() && (r.SafeConns < 0 || f.Allows < r.SafeConns):
			r.SafeConns, r.Binding = f.Allows, f.Name
		case f.Counts == Connections && f.Allows == Unlimited && r.SafeConns == Unknown:
			r.SafeConns = Unlimited
		}
		if f.memory && f.bounds() && (r.MemoryLeft < 0 || f.left < int64(r.MemoryLeft)) {
			r.MemoryLeft = clamp(f.left)
		}
		if f.memory && f.bounds() && (allowed < 0 || int64(f.Allows) < allowed) {
			allowed = int64(f.Allows)
		}
	}
	goal := m.config.target
	if goal == 0 {
		goal = chooseTarget(int64(r.SafeConns), allowed)
	}
	r.Target = clamp(goal)
	for i := range findings {
		f := &findings[i]
		if f.raise != nil {
			f.raise(&f.Limit, goal)
		}
		r.Limits = append(r.Limits, f.Limit)
	}
	return r
}

// chooseTarget follows the documentation of WithTarget. Negative arguments are no limit.
func chooseTarget(safe, memory int64) int64 {
	twice := min(2*min(max(safe, 0), most), most)
	goal := max(defaultTarget, twice)
	if memory >= 0 {
		goal = min(goal, memory)
	}
	if goal <= safe {
		goal = twice
	}
	return max(goal, leastTarget)
}

// newLimit returns a limit whose value may be Unlimited.
func newLimit(name, source, unit string, value, used, allows int64) Limit {
	l := Limit{
		Name:   name,
		Value:  strconv.FormatInt(value, 10),
		Unit:   unit,
		Used:   clamp(used),
		Allows: clamp(allows),
		Counts: Connections,
		Source: source,
	}
	if value == Unlimited {
		l.Value = "unlimited"
		l.Allows = Unlimited
	}
	return l
}

// unknownLimit returns a limit that could not be read from source.
func unknownLimit(name, source, unit string, err error) finding {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err // source has the path
	}
	return finding{Limit: Limit{
		Name:   name,
		Value:  "unknown",
		Unit:   unit,
		Used:   Unknown,
		Allows: Unknown,
		Counts: Connections,
		Source: source,
		Note:   err.Error(),
	}}
}

// clamp turns n into an int: where int has 32 bits, what is too large to matter is cut.
func clamp(n int64) int { return int(min(n, math.MaxInt)) }

// atLeast0 is what is left of something: never less than nothing.
func atLeast0(n int64) int64 { return max(n, 0) }

// powerOfTwo rounds up, as such limits are set by custom: it leaves some room too.
func powerOfTwo(n int64) int64 {
	p := int64(1)
	for p < n && p < infinity {
		p <<= 1
	}
	return max(p, n)
}

func osName(c *config) string {
	if c.files != nil {
		return "linux"
	}
	return runtime.GOOS
}
