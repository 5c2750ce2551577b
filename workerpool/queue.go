package workerpool

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// task is one accepted function. It is in one queue's list until it starts.
type task struct {
	fn       func(context.Context)
	accepted time.Duration // since Pool.epoch
	end      chan error    // of Do: told how the task ended; has space for it
	next     *task
}

// keyQueue is the tasks of one key, or one task without a key. A key has a queue while something of it is
// unfinished or waits, and no longer. Everything in it is guarded by Pool.mu.
type keyQueue struct {
	key        uint64
	keyed      bool
	running    bool // a task has started and not finished
	ready      bool // the queue is in Pool.ready
	unfinished int  // tasks accepted and not finished
	held       int  // places of the share that are taken: by unfinished tasks, and by those in entering
	head, tail *task
	waiting    list.List     // of *waiter: those who have no place in the share
	entering   list.List     // of *waiter: those who have one, and none in the pool
	turn       *list.Element // in Pool.entering, while somebody is in entering
	next       *keyQueue     // in Pool.ready
}

var (
	tasks      = sync.Pool{New: func() any { return new(task) }}
	freeQueues = sync.Pool{New: func() any { return new(keyQueue) }}
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

func newQueue() *keyQueue { return freeQueues.Get().(*keyQueue) }

// queueOf returns the queue of a key, a new one if it has none.
func (p *Pool) queueOf(key uint64) *keyQueue {
	l := p.queues[key]
	if l == nil {
		l = newQueue()
		l.key, l.keyed = key, true
		p.queues[key] = l
	}
	return l
}

// freeIfUnused forgets a queue with nothing in it. The caller must not use it afterwards.
func (p *Pool) freeIfUnused(l *keyQueue) {
	if l.held > 0 || l.ready || l.waiting.Len() > 0 {
		return
	}
	if l.keyed {
		delete(p.queues, l.key)
	}
	*l = keyQueue{}
	freeQueues.Put(l)
}

func (l *keyQueue) push(t *task) {
	if l.head == nil {
		l.head = t
	} else {
		l.tail.next = t
	}
	l.tail = t
}

func (l *keyQueue) pop() *task {
	t := l.head
	if t != nil {
		l.head, t.next = t.next, nil
	}
	return t
}

// remove takes t out of the list and reports whether it was there.
func (l *keyQueue) remove(t *task) bool {
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

// turnQueue is a first-in first-out list of queues.
type turnQueue struct {
	head, tail *keyQueue
	len        int
}

func (q *turnQueue) push(l *keyQueue) {
	if q.head == nil {
		q.head = l
	} else {
		q.tail.next = l
	}
	q.tail = l
	q.len++
	l.ready = true
}

func (q *turnQueue) pop() *keyQueue {
	l := q.head
	if l != nil {
		q.head, l.next = l.next, nil
		q.len--
		l.ready = false
	}
	return l
}
