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

// New returns a pool that is ready to take tasks. It must be closed. The error reports every faulty
// option.
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

// Submit hands over a task of a key. Tasks of one key run one after another, in the order in which
// Submit accepted them. ctx bounds the wait for space, where the policy is to wait; the task itself
// gets the pool's context, which ends when Close gives up.
//
// The error matches ErrBusy where there was no space, ErrClosed after Close, or is ctx.Err() where ctx
// was over at the start. The task then does not run.
//
// A task must not wait without bound for space in its own pool: when all tasks do, none makes any.
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

// SubmitIfBusy is Submit where the key has unfinished tasks. Where it has none, it does nothing and
// returns false and no error, and the caller may run the task itself: all that the key's tasks did is
// then visible to it. With one goroutine that submits for the key, and runs inline what was not
// queued, everything of the key runs in order.
//
// With an error the task was neither queued nor free to run out of turn.
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

// Go hands over a task without a key. It has its turn among the keys like the only task of a key of
// its own, and no share bounds it. Otherwise it is like Submit.
func (p *Pool) Go(ctx context.Context, fn func(context.Context)) error {
	if err := check(ctx, fn == nil); err != nil {
		return err
	}
	p.mu.Lock()
	return p.submit(ctx, newQueue(), newTask(fn))
}

// Do hands over a task of a key, as Submit does, and waits for its end. It returns the task's error,
// or a *PanicError where it panicked, or ErrClosed where Close dropped it.
//
// When ctx ends first, Do returns ctx.Err(). A task that has not started is taken back then; one that
// has is not waited for. The task's context carries ctx's values and ends with ctx, and when Close
// gives up.
//
// A task must not Do another of its own key, which would wait for itself.
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

// Pending is the number of the key's unfinished tasks, the running one included. It does not count
// those whose submitter still waits for space.
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
