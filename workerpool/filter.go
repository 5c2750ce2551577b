package workerpool

import "sync/atomic"

// busyFilter tells without a lock that a key has no unfinished task. Most connections never have
// one, and all of them ask with every message. It counts the busy keys by a few bits of their hash:
// zero is certain, anything else needs a look under the lock.
type busyFilter [64]atomic.Int32

func (f *busyFilter) at(key uint64) *atomic.Int32 {
	const phi = 0x9E3779B97F4A7C15 // 2^64 over the golden ratio: Knuth's multiplicative hash
	return &f[key*phi>>58]
}

func (f *busyFilter) add(key uint64, n int32) { f.at(key).Add(n) }

// maybe is false only if the key has no unfinished task that was accepted before the call, or all of
// them finished before it. Reading the count is what makes their effects visible.
func (f *busyFilter) maybe(key uint64) bool { return f.at(key).Load() != 0 }
