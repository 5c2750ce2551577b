package workerpool

import "time"

// Stats are the figures of a pool at one moment. The counters only grow. At every moment
//
//	Submitted = Completed + Dropped + Canceled + Queued + Running
type Stats struct {
	// Workers is the number of tasks that can run at once.
	Workers int
	// Goroutines is the number of workers that exist, idle ones included. It is never above Workers. A
	// worker ends after one or two seconds without a task.
	Goroutines int
	// Running is the number of accepted tasks that have started and not finished. Queued is the number of those
	// that have not started.
	Running, Queued int
	// Blocked is the number of callers that wait for space.
	Blocked int
	// Keys is the number of keys with a task that has not finished.
	Keys int

	// Submitted counts the tasks accepted.
	Submitted int64
	// Completed counts the tasks that ran to their end, by returning or by panicking.
	Completed int64
	// Panics counts those of Completed that panicked.
	Panics int64
	// Rejected counts the tasks refused with ErrBusy. They are not part of Submitted.
	Rejected int64
	// RejectedShare counts those of Rejected whose key had used up its share. For the others the whole
	// pool was full.
	RejectedShare int64
	// Dropped counts the tasks that Close dropped before they started.
	Dropped int64
	// Canceled counts the tasks that Do withdrew before they started.
	Canceled int64

	// WaitTotal is the time that tasks spent between acceptance and start, over the
	// Completed+Running tasks that have started.
	WaitTotal time.Duration
	// RunTotal is the time that the Completed tasks ran.
	RunTotal time.Duration
}

// MeanWait returns the mean time from acceptance to start. It is zero before the first task.
func (s Stats) MeanWait() time.Duration { return mean(s.WaitTotal, s.Completed+int64(s.Running)) }

// MeanRun returns the mean run time of a task. It is zero before the first task has finished.
func (s Stats) MeanRun() time.Duration { return mean(s.RunTotal, s.Completed) }

func mean(total time.Duration, n int64) time.Duration {
	if n == 0 {
		return 0
	}
	return total / time.Duration(n)
}

// Stats returns the pool's figures. It works after Close too.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Goroutines = p.ants.Running()
	return s
}
