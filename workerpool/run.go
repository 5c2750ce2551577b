package workerpool

import (
	"errors"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/panjf2000/ants/v2"
)

// A worker with more to do rests for restTime once it has run tasks for restAfter. While all of Go's
// processors compute, the runtime looks for network events only every 10 ms, and whatever they wake has
// to wait for a processor as well. A worker that rests leaves its processor to both, which matters if there are
// as many workers as processors: see the package's documentation. It costs the tasks a few percent and spares connections most of the wait, for tasks of a few milliseconds: with a worker
// on each of 2 processors and tasks of 1 ms, the median TCP echo took 3 ms instead of 23.
const (
	restAfter = time.Millisecond
	restTime  = 20 * time.Microsecond
)

// longAfter is the mean run time from which on a worker asks for a longer slice, which takes a microsecond.
const longAfter = 200 * time.Microsecond

// accept puts a task that has its places in the share and in the pool into its queue.
func (p *Pool) accept(l *keyQueue, t *task) {
	t.accepted = p.now()
	p.stats.Submitted++
	p.stats.Queued++
	l.unfinished++
	if l.keyed && l.unfinished == 1 {
		p.stats.Keys++
		p.busy.add(l.key, 1)
	}
	l.push(t)
	if !l.running && !l.ready {
		p.ready.push(l)
	}
}

// unlock starts as many runners as there are queues to look after, within the bound, and unlocks the
// pool. It is the only way in which p.mu is unlocked after a change.
func (p *Pool) unlock() {
	start := 0
	for p.ready.len > p.searching && p.runners < p.workers {
		p.runners++
		p.searching++
		start++
	}
	if p.closed && !p.idled && p.runners == 0 && p.unfinished() == 0 {
		p.idled = true
		close(p.idle)
	}
	p.mu.Unlock()
	for range start {
		p.start()
	}
}

// start has a worker of ants run p.run. Both count, p.runners in step with the tasks and ants its goroutines: one that has run
// out of tasks is counted by ants until it is back in its list, some instructions later, and its successor waits for that. ants
// could wait itself, but not for a worker that ends meanwhile, whose signal may come before the wait begins.
func (p *Pool) start() {
	for {
		err := p.ants.Submit(p.runner)
		switch {
		case err == nil:
			return
		case errors.Is(err, ants.ErrPoolOverload):
			runtime.Gosched()
		default: // ants is closed, so Close has given up and there is nothing to run
			p.mu.Lock()
			p.runners--
			p.searching--
			p.unlock()
			return
		}
	}
}

// escaped is told by ants of a panic that no task of ours let through.
func (p *Pool) escaped(v any) { p.report(&PanicError{Value: v, Stack: debug.Stack()}) }

// run is what a worker does: it takes one task from the queue whose turn it is, again and again, until
// no queue has any. A queue goes to the back after each task, which is what shares the workers evenly.
func (p *Pool) run() {
	var (
		l      *keyQueue
		t      *task
		start  time.Duration
		rested time.Duration
		failed *PanicError

		long    bool
		restore = func() {}
	)
	defer func() {
		restore()
		if t == nil {
			return
		}
		// The task called runtime.Goexit, which ends this goroutine too: leave things in
		// order, and the rest of the work to another worker, which may have to wait for this one.
		p.mu.Lock()
		p.finish(l, t, p.now()-start, failed)
		p.runners--
		p.mu.Unlock()
		go func() {
			p.mu.Lock()
			p.unlock()
		}()
	}()

	p.mu.Lock()
	p.searching--
	start = p.now()
	rested = start
	for {
		if l, t = p.next(); t == nil {
			p.runners--
			p.unlock()
			return
		}
		p.stats.WaitTotal += start - t.accepted
		ask := !long && p.meanRun >= longAfter
		p.unlock()
		if ask {
			long, restore = true, longSlice()
		}

		p.call(l.key, t, &failed)

		end := p.now()
		p.mu.Lock()
		p.finish(l, t, end-start, failed)
		failed = nil
		if end-rested >= restAfter && p.ready.len > 0 {
			p.unlock()
			time.Sleep(restTime)
			p.mu.Lock()
			rested = p.now()
		}
		start = p.now()
	}
}

// next takes the task whose turn it is; nil if there is none.
func (p *Pool) next() (*keyQueue, *task) {
	for l := p.ready.pop(); l != nil; l = p.ready.pop() {
		t := l.pop()
		if t == nil { // all of them were taken back
			p.freeIfUnused(l)
			continue
		}
		l.running = true
		p.stats.Queued--
		p.stats.Running++
		return l, t
	}
	return nil, nil
}

// call runs a task. Where it does not return, *failed says why, even if call does not return either.
func (p *Pool) call(key uint64, t *task, failed **PanicError) {
	returned := false
	defer func() {
		if returned {
			return
		}
		e := &PanicError{Key: key, Value: recover(), Stack: debug.Stack()}
		if e.Value == nil { // panic(nil) is a *runtime.PanicNilError
			e.Value = ErrGoexit
		}
		*failed = e
		p.report(e)
	}()
	t.fn(p.ctx)
	returned = true
}

// report calls the panic handler, and survives its panic.
func (p *Pool) report(e *PanicError) {
	defer func() {
		if v := recover(); v != nil {
			slog.Error("workerpool: panic handler panicked", "key", e.Key, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	p.onPanic(e)
}

// finish accounts for a task that has run and gives the queue its next turn. Neither may be used
// afterwards.
func (p *Pool) finish(l *keyQueue, t *task, took time.Duration, failed *PanicError) {
	p.stats.Running--
	p.stats.Completed++
	p.stats.RunTotal += took
	if p.stats.Completed == 1 {
		p.meanRun = took
	} else {
		p.meanRun += (took - p.meanRun) / 8 // the gain of RFC 6298's smoothed round-trip time
	}
	var err error
	if failed != nil {
		p.stats.Panics++
		err = failed
	}
	if t.end != nil {
		t.end <- err
	}
	t.free()
	p.vacate(l)
	l.running = false
	if l.head != nil {
		p.ready.push(l)
	} else {
		p.freeIfUnused(l)
	}
}

// now is the monotonic time since the pool was made.
func (p *Pool) now() time.Duration { return time.Since(p.epoch) }
