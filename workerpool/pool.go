package workerpool

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/panjf2000/ants/v2"
)

// Pool runs tasks on a bounded number of workers. Its methods may be called from several goroutines.
// The zero value is not usable; New makes one.
type Pool struct {
	config
	ants   *ants.Pool
	runner func() // p.run, made once
	epoch  time.Time
	ctx    context.Context // of every task; ends when Close gives up
	cancel context.CancelCauseFunc
	busy   busyFilter

	mu        sync.Mutex // a leaf: neither callbacks nor ants are called under it
	queues    map[uint64]*keyQueue
	ready     turnQueue // queues with a task that may start, in the order of their turns
	entering  list.List // of *keyQueue: those for which somebody waits for a place in the pool, in the order of their turns
	runners   int       // workers that run, or are about to run, p.run
	searching int       // runners that have not looked at ready yet
	meanRun   time.Duration
	stats     Stats

	closed bool
	idled  bool
	gaveUp error         // why Close gave up
	idle   chan struct{} // closed when nothing is left to run
	forced chan struct{} // closed when Close gave up
	done   chan struct{} // closed when every goroutine is gone
}

// New returns a pool that accepts tasks. Close it after use. The error names every faulty option and matches
// ErrOption.
func New(opts ...Option) (*Pool, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	p := &Pool{
		config: *c,
		epoch:  time.Now(),
		queues: make(map[uint64]*keyQueue),
		idle:   make(chan struct{}),
		forced: make(chan struct{}),
		done:   make(chan struct{}),
	}
	p.stats.Workers = c.workers
	p.runner = p.run
	p.ants, err = ants.NewPool(c.workers, ants.WithNonblocking(true), ants.WithPanicHandler(p.escaped))
	if err != nil {
		return nil, fmt.Errorf("workerpool: %w", err)
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	return p, nil
}

// Submit adds a task of a key. Tasks of one key run one after another, in the order in which
// Submit accepted them. If the policy is to wait, Submit blocks for space, no longer than ctx. The task gets the
// pool's context, which ends when the context of Close ends.
//
// The error matches ErrBusy if there was no space, and ErrClosed after Close. It is ctx.Err() if ctx had ended
// before the call, and ErrNilTask for a nil fn. After an error the task does not run.
//
// A task must not wait without bound for space in its own pool: if all tasks do, none frees any.
func (p *Pool) Submit(ctx context.Context, key uint64, fn func(context.Context)) error {
	if err := check(ctx, fn == nil); err != nil {
		return err
	}
	p.mu.Lock()
	if err := p.refuseNew(key); err != nil {
		p.mu.Unlock()
		return err
	}
	return p.submit(ctx, p.queueOf(key), newTask(fn))
}

// SubmitIfBusy is Submit if the key has unfinished tasks. If it has none, it does nothing and
// returns false and no error. The caller may then run the task itself, and sees the effects of all tasks of the
// key. If one goroutine submits for the key, and runs the tasks that were not queued itself, all tasks of
// the key run in order.
//
// After an error the task is not queued, and must not be run out of turn.
func (p *Pool) SubmitIfBusy(ctx context.Context, key uint64, fn func(context.Context)) (queued bool, err error) {
	if fn == nil {
		return false, ErrNilTask
	}
	if !p.busy.maybe(key) {
		return false, nil
	}
	p.mu.Lock()
	l := p.queues[key]
	if l == nil || l.unfinished == 0 {
		p.mu.Unlock()
		return false, nil
	}
	if err := ctx.Err(); err != nil {
		p.mu.Unlock()
		return false, err
	}
	if err := p.submit(ctx, l, newTask(fn)); err != nil {
		return false, err
	}
	return true, nil
}

// Go adds a task without a key. The task takes its turn like the only task of a key of its own, and no share
// bounds it. Otherwise Go is like Submit.
func (p *Pool) Go(ctx context.Context, fn func(context.Context)) error {
	if err := check(ctx, fn == nil); err != nil {
		return err
	}
	p.mu.Lock()
	return p.submit(ctx, newQueue(), newTask(fn))
}

// Do adds a task of a key, as Submit does, and waits for its end. It returns the task's error,
// a *PanicError if it panicked, or ErrClosed if Close dropped it. Other errors are those of Submit.
//
// If ctx ends first, Do returns ctx.Err(). It withdraws a task that has not started, and does not wait for one that
// has. The task's context carries ctx's values. It ends with ctx, and when the context of Close ends.
//
// A task must not call Do with its own key: it would wait for itself.
func (p *Pool) Do(ctx context.Context, key uint64, fn func(context.Context) error) error {
	if err := check(ctx, fn == nil); err != nil {
		return err
	}
	var result error
	t := &task{
		fn: func(pool context.Context) {
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			defer context.AfterFunc(pool, func() { cancel(context.Cause(pool)) })()
			result = fn(ctx)
		},
		end: make(chan error, 1),
	}
	p.mu.Lock()
	if err := p.submit(ctx, p.queueOf(key), t); err != nil {
		return err
	}
	select {
	case err := <-t.end:
		if err != nil {
			return err
		}
		return result
	case <-ctx.Done():
		p.takeBack(key, t)
		return ctx.Err()
	}
}

// Pending returns the number of the key's unfinished tasks, the running one included. It does not count tasks
// whose submitter still waits for space.
func (p *Pool) Pending(key uint64) int {
	if !p.busy.maybe(key) {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.queues[key]; l != nil {
		return l.unfinished
	}
	return 0
}

func check(ctx context.Context, isNil bool) error {
	if isNil {
		return ErrNilTask
	}
	return ctx.Err()
}
