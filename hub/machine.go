package hub

import (
	"errors"
	"fmt"

	"github.com/gohubkit/hubkit/preflight"
)

// check examines the machine, and bounds the connections by what it allows.
func (c *config) check() error {
	if c.noPreflight {
		if len(c.preflight) > 0 {
			return errors.New("WithPreflight and WithoutPreflight exclude each other")
		}
		return nil
	}
	c.asked = c.admission.MaxConns
	opts := c.preflight
	if c.asked > 0 {
		opts = append([]preflight.Option{preflight.WithTarget(c.asked)}, opts...)
	}
	var err error
	if c.report, err = preflight.Check(opts...); err != nil {
		return err
	}
	most, binding := c.report.SafeConns, c.report.Binding
	if c.asked > 0 {
		// The operator may know better than an estimate of memory, but the number of descriptors is exact.
		most, binding = descriptors(c.report), nofile
	}
	if most < 0 {
		return nil // no limit, or none known
	}
	// A soft refusal holds a descriptor for about a second, and two seconds' worth may come in one.
	most -= 2 * c.admission.Soft
	if most < 1 {
		return fmt.Errorf("not one connection is safe: %s allows none beyond the reserves: raise it; %s", binding, c.report)
	}
	if c.asked == 0 || most < c.asked {
		c.admission.MaxConns = most
	}
	return nil
}

// leastBudget is the smallest memory budget that is derived. A machine that looks full then closes no connection for a
// single message.
const leastBudget = 16 << 20

// deriveBudget derives the memory budget from the result of check. The budget is half of the memory that idle
// connections leave, since the garbage collector lets the heap grow to twice what is in use. They leave at least the
// quarter that is reserved for traffic.
func (c *config) deriveBudget() {
	left := int64(c.report.MemoryLeft)
	if c.noPreflight || c.memoryBudget != 0 || left < 0 {
		return
	}
	rest := left / 4
	if n := c.admission.MaxConns; n > 0 {
		rest = max(rest, left-int64(n)*int64(c.report.ConnBytes))
	}
	c.memoryBudget = max(rest/2, leastBudget)
}

const nofile = "RLIMIT_NOFILE"

// descriptors returns how many connections the process has descriptors for.
func descriptors(r preflight.Report) int {
	for _, l := range r.Limits {
		if l.Name == nofile {
			return l.Allows
		}
	}
	return preflight.Unknown
}

// DescriptorStats has the figures of the process's file descriptors.
type DescriptorStats struct {
	// Open is how many are in use. Limit is the soft RLIMIT_NOFILE as it was when the hub was made. Each is zero if it
	// is unknown.
	Open, Limit int
}

func (h *Hub) descriptorStats() DescriptorStats {
	return DescriptorStats{Open: max(preflight.OpenDescriptors(), 0), Limit: max(h.conf.report.Descriptors.Soft, 0)}
}

// logMachine logs the result of check in one line.
func (h *Hub) logMachine() {
	c := &h.conf
	if c.noPreflight {
		return
	}
	log := h.log.Info
	if safe := c.report.SafeConns; c.asked > 0 && (c.admission.MaxConns < c.asked || safe >= 0 && safe < c.asked) {
		log = h.log.Warn
	}
	log(c.report.String(), "max_conns", c.admission.MaxConns, "asked", c.asked)
}
