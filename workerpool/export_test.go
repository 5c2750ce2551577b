package workerpool

const (
	RestAfter = restAfter
	RestTime  = restTime
)

// LongSlice is what workers with long tasks ask for.
func LongSlice() (restore func()) { return longSlice() }

// Queues is the number of keys that the pool remembers.
func Queues(p *Pool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queues) + p.ready.len
}

// FilterSum is the number of keys that the busy filter counts.
func FilterSum(p *Pool) (n int) {
	for i := range p.busy {
		n += int(p.busy[i].Load())
	}
	return n
}

// SamePlace reports whether the busy filter cannot tell two keys apart.
func SamePlace(p *Pool, a, b uint64) bool { return p.busy.at(a) == p.busy.at(b) }
