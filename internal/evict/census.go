package evict

import (
	"os"
	"sync"
	"time"
)

// What part of the time counting may take: where the kernel does not say how many there are, it takes milliseconds for
// ten thousand. While there seem to be too many, it may be more, since nobody is to be sent away for what was closed long ago.
const (
	countShare = 100
	countMore  = 10
)

// Descriptors bounds how many descriptors the process has in use when connections are accepted.
type Descriptors struct {
	most int // negative if they are not bounded

	mu    sync.Mutex
	inUse census
}

// NewDescriptors makes a bound of most. If it is negative, or the descriptors in use cannot be counted, which takes Linux,
// nothing is bounded.
func NewDescriptors(most int) *Descriptors {
	if countDescriptors() < 0 {
		most = -1
	}
	return &Descriptors{most: most}
}

// Bounded reports whether there is a bound.
func (d *Descriptors) Bounded() bool { return d.most >= 0 }

// Take notes one more, which is open already, and reports whether it is within the bound. If not, it is noted as closed again: it is
// to be closed, or another one for it.
func (d *Descriptors) Take() bool {
	if !d.Bounded() {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inUse.add(d.most) <= d.most {
		return true
	}
	d.inUse.n--
	return false
}

// census knows how many descriptors the process has in use: those that were counted last, and the connections since. What
// else is opened or closed it hears of with the next count.
type census struct {
	n       int
	counted time.Time
	took    time.Duration
}

// add notes one more, which is open already, and returns how many there are. most is how many there may be.
func (c *census) add(most int) int {
	c.n++
	share := time.Duration(countShare)
	if c.n > most {
		share = countMore
	}
	began := time.Now()
	if began.Sub(c.counted) < share*c.took {
		return c.n
	}
	if n := countDescriptors(); n >= 0 {
		c.n = n
	}
	c.counted = time.Now()
	c.took = c.counted.Sub(began)
	return c.n
}

// countDescriptors counts what the process has open; it returns -1 if it cannot.
func countDescriptors() int {
	const dir = "/proc/self/fd"
	if fi, err := os.Stat(dir); err == nil && fi.Size() > 0 { // since Linux 6.2
		return int(fi.Size())
	}
	f, err := os.Open(dir)
	if err != nil {
		return -1
	}
	defer f.Close() //nolint:errcheck // it was read
	names, err := f.Readdirnames(-1)
	if err != nil {
		return -1
	}
	return len(names) - 1 // f
}
