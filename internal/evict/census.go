package evict

import (
	"os"
	"time"
)

// What part of the time counting may take: where the kernel does not say how many there are, it takes milliseconds for
// ten thousand. While there seem to be too many, it may be more, since nobody is to be sent away for what was closed long ago.
const (
	countShare = 100
	countMore  = 10
)

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
