package workerpool

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"
)

// The defaults of the options of New.
const (
	// DefaultQueuePerWorker is how many tasks may wait for each worker. It is counted per worker, so that the
	// longest wait does not depend on the size of the machine: 256 tasks of 10 ms take 2.6 s.
	DefaultQueuePerWorker = 256
	// DefaultKeyShare is how many unfinished tasks one key may have.
	DefaultKeyShare = 32
)

// Bounds of the options: no machine needs more, and no sum of them overflows.
const (
	maxWorkers = 1 << 20
	maxQueue   = 1 << 29
)

// ErrOption matches every error of New about its options.
var ErrOption = errors.New("workerpool: invalid options")

// Option configures a Pool. New reports every fault of every option together.
type Option func(*config) error

type config struct {
	workers int
	queue   int
	share   int
	policy  Policy
	onPanic func(*PanicError)
}

// capacity is the number of unfinished tasks the pool takes.
func (c *config) capacity() int { return c.workers + c.queue }

// WithWorkers sets how many tasks run at once. The default is one less than runtime.GOMAXPROCS(0) at the time of New, and
// at least one. The package documentation says why.
func WithWorkers(n int) Option {
	return func(c *config) error {
		if n < 1 || n > maxWorkers {
			return fmt.Errorf("WithWorkers(%d): must be from 1 to %d", n, maxWorkers)
		}
		c.workers = n
		return nil
	}
}

// WithQueue sets how many tasks may wait in addition to the one per worker. The pool accepts workers+n
// unfinished tasks. With zero it accepts a task only while fewer tasks than workers are unfinished. The default is
// DefaultQueuePerWorker, 256, times the number of workers.
func WithQueue(n int) Option {
	return func(c *config) error {
		if n < 0 || n > maxQueue {
			return fmt.Errorf("WithQueue(%d): must be from 0 to %d", n, maxQueue)
		}
		c.queue = n
		return nil
	}
}

// WithKeyShare sets how many unfinished tasks one key may have, the running one included. It must
// be positive, and at most the capacity of the pool. The default is DefaultKeyShare, 32, or the capacity of the pool
// if that is less. With Reject, the share shrinks as the pool fills: see the package documentation.
func WithKeyShare(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("WithKeyShare(%d): must be positive", n)
		}
		c.share = n
		return nil
	}
}

// WithSaturation sets the policy for a task without space in the pool or in its key's share. The default is
// Reject.
func WithSaturation(policy Policy) Option {
	return func(c *config) error {
		if policy.limited && policy.wait <= 0 {
			return fmt.Errorf("WithSaturation(Deadline(%v)): must be positive", policy.wait)
		}
		c.policy = policy
		return nil
	}
}

// WithPanicHandler sets the function that is called with each panic of a task. The task's worker calls it before the
// key's next task starts. The default logs to slog.Default with level Error.
func WithPanicHandler(f func(*PanicError)) Option {
	return func(c *config) error {
		if f == nil {
			return errors.New("WithPanicHandler(nil): must not be nil")
		}
		c.onPanic = f
		return nil
	}
}

// Policy decides about a task without space. The zero value is Reject.
type Policy struct {
	block   bool          // wait for space
	limited bool          // for no longer than
	wait    time.Duration // this
}

// Reject refuses the task at once, with a BusyError.
func Reject() Policy { return Policy{} }

// Block makes the submitter wait for space until its context ends. Submitters that wait for the same space are served in
// the order of their calls.
func Block() Policy { return Policy{block: true} }

// Deadline makes the submitter wait for space for at most d, and no longer than its context. d must be positive.
func Deadline(d time.Duration) Policy { return Policy{block: true, limited: true, wait: d} }

// defaultWorkers leaves one of Go's processors to everything else.
func defaultWorkers() int { return max(1, runtime.GOMAXPROCS(0)-1) }

func newConfig(opts []Option) (*config, error) {
	c := &config{workers: defaultWorkers(), queue: -1, onPanic: logPanic}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("option %d is nil", i))
		} else if err := o(c); err != nil {
			faults = append(faults, err)
		}
	}
	if c.queue < 0 {
		c.queue = DefaultQueuePerWorker * c.workers
	}
	switch {
	case c.share == 0:
		c.share = min(DefaultKeyShare, c.capacity())
	case c.share > c.capacity():
		faults = append(faults, fmt.Errorf("WithKeyShare(%d): the pool takes only %d tasks, %d workers and %d waiting",
			c.share, c.capacity(), c.workers, c.queue))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrOption, errors.Join(faults...))
	}
	return c, nil
}

func logPanic(e *PanicError) {
	slog.Error("workerpool: task panicked", "key", e.Key, "panic", e.Value, "stack", string(e.Stack))
}
