package workerpool

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// task is one accepted function. It is in one lane's list until it starts.
type task struct {
	fn       func(context.Context)
	accepted time.Duration // since Pool.epoch
	end      chan error    // of Do: told how the task ended; has space for it
	next     *task
}

// lane is the tasks of one key, or one task without a key. A key has a lane while something of it is
// unfinished or waits, and no longer. Everything in it is guarded by Pool.mu.
type lane struct {
	key        uint64
	keyed      bool
	running    bool // a task has started and not finished
	ready      bool // the lane is in Pool.ready
	unfinished int  // tasks accepted and not finished
	held       int  // places of the share that are taken: by unfinished tasks, and by those in entering
	head, tail *task
	waiting    list.List     // of *waiter: those who have no place in the share
	entering   list.List     // of *waiter: those who have one, and none in the pool
	turn       *list.Element // in Pool.entering, while somebody is in entering
	next       *lane         // in Pool.ready
}

var (
	tasks     = sync.Pool{New: func() any { return new(task) }}
	freeLanes = sync.Pool{New: func() any { return new(lane) }}
)

func newTask(fn func(context.Context)) *task {
	t := tasks.Get().(*task)
	t.fn = fn
	return t
}

// free gives the task back for reuse, except where Do may still look for it.
func (t *task) free() {
	if t.end == nil {
		*t = task{}
		tasks.Put(t)
	}
}

func newLane() *lane { return freeLanes.Get().(*lane) }

// lane returns the lane of a key, a new one if it has none.
func (p *Pool) lane(key uint64) *lane {
	l := p.lanes[key]
	if l == nil {
		l = newLane()
		l.key, l.keyed = key, true
		p.lanes[key] = l
	}
	return l
}

// freeIfUnused forgets a lane with nothing in it. The caller must not use it afterwards.
func (p *Pool) freeIfUnused(l *lane) {
	if l.held > 0 || l.ready || l.waiting.Len() > 0 {
		return
	}
	if l.keyed {
		delete(p.lanes, l.key)
	}
	*l = lane{}
	freeLanes.Put(l)
}

func (l *lane) push(t *task) {
	if l.head == nil {
		l.head = t
	} else {
		l.tail.next = t
	}
	l.tail = t
}

func (l *lane) pop() *task {
	t := l.head
	if t != nil {
		l.head, t.next = t.next, nil
	}
	return t
}

// remove takes t out of the list and reports whether it was there.
func (l *lane) remove(t *task) bool {
	var before *task
	for at := l.head; at != nil; before, at = at, at.next {
		if at != t {
			continue
		}
		if before == nil {
			l.head = t.next
		} else {
			before.next = t.next
		}
		if l.tail == t {
			l.tail = before
		}
		t.next = nil
		return true
	}
	return false
}

// laneQueue is a first-in first-out list of lanes.
type laneQueue struct {
	head, tail *lane
	len        int
}

func (q *laneQueue) push(l *lane) {
	if q.head == nil {
		q.head = l
	} else {
		q.tail.next = l
	}
	q.tail = l
	q.len++
	l.ready = true
}

func (q *laneQueue) pop() *lane {
	l := q.head
	if l != nil {
		q.head, l.next = l.next, nil
		q.len--
		l.ready = false
	}
	return l
}
