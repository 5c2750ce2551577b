package fanout

import (
	"sync"
	"sync/atomic"
)

// deferred are rooms whose pass waits for Flush. Whoever delivers many messages in a row, and knows when there are no
// more for now, saves waking a worker for each; and where there are only few sockets to write to, it does that
// itself, which costs less than to wake another to do it.
type deferred struct {
	any atomic.Bool // a look at it is cheap: Flush is called far more often than there is something

	mu     sync.Mutex
	tasks  []task
	spare  []task // the slice that is not in use
	writes int    // how many sockets the passes write to
}

// inline is how many sockets Flush writes to itself. More are the workers' business.
const inline = 8

// putOff keeps a room for Flush.
func (s *Scheduler) putOff(t task) {
	d := &s.soon
	d.mu.Lock()
	d.tasks = append(d.tasks, t)
	d.writes += t.members
	d.any.Store(true)
	d.mu.Unlock()
}

// Flush has the messages sent that AddSoon added before. It does not block.
func (s *Scheduler) Flush() {
	d := &s.soon
	if !d.any.Load() {
		return
	}
	d.mu.Lock()
	tasks, writes := d.tasks, d.writes
	d.tasks, d.spare, d.writes = d.spare, nil, 0
	d.any.Store(false)
	d.mu.Unlock()
	if writes <= inline {
		for _, t := range tasks {
			s.run(s.begin(t.room), nil)
		}
	} else {
		s.mu.Lock()
		for _, t := range tasks {
			s.queue.push(t)
		}
		s.mu.Unlock()
		for range min(len(tasks), s.conf.Workers) {
			s.ready.Signal()
		}
	}
	clear(tasks)
	d.mu.Lock()
	d.spare = tasks[:0]
	d.mu.Unlock()
}
