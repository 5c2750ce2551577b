package redis

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firstProbe = 20 * time.Millisecond // between the first two probes
	lastProbe  = 500 * time.Millisecond
)

// breaker knows whether a server may be written to. While the server is gone, or is no primary, it makes commands fail at
// once, instead of each waiting for a dial, and without regard to its context as rueidis does. From the first
// sign of that until the server takes a write it is open.
//
// A server that only takes no writes leaves it closed, so that each command gets its own answer.
type breaker struct {
	ping  func(context.Context) error // nil error: the server may be written to, or is of no use any more
	spawn func(func()) bool
	wait  func(time.Duration) bool // false: the broker is closed
	tell  func(error)              // what ping said in vain, each time; nil when all is well again

	open   atomic.Bool
	asking atomic.Bool // a suspicion is looked into

	mu      sync.Mutex
	probing bool
	cause   error
}

// check returns why a command must not be sent.
func (b *breaker) check() error {
	if !b.open.Load() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open.Load() {
		return nil
	}
	return unavailable(b.cause)
}

// report takes in what became of a command.
func (b *breaker) report(err error) {
	if err == nil {
		return
	}
	switch conditionOf(err) {
	case replica:
		b.trip(err)
	case starting, locked, denied, full:
		b.suspect() // one reply is no verdict
	default:
		if isBroken(err) {
			b.trip(err)
		}
	}
}

// suspect asks the server whether it may be written to, and acts only if it may not.
func (b *breaker) suspect() {
	if b.open.Load() || b.asking.Swap(true) {
		return
	}
	if !b.spawn(func() {
		err := b.ping(context.Background())
		b.asking.Store(false)
		if err != nil {
			b.trip(err)
		}
	}) {
		b.asking.Store(false)
	}
}

// trip has the server probed until it may be written to, and opens the breaker unless the cause says that the server takes
// other commands.
func (b *breaker) trip(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(cause)
	if b.probing {
		return
	}
	if b.probing = b.spawn(b.probe); !b.probing {
		b.open.Store(false)
	}
}

// note is called with mu held.
func (b *breaker) note(cause error) {
	b.cause = cause
	b.open.Store(blocks(cause))
}

// retry asks the server at once, not when the next probe is due.
func (b *breaker) retry(ctx context.Context) {
	if !b.open.Load() || b.ping(ctx) != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open.Store(false)
}

// probe closes the breaker when the server may be written to. The first try comes at once: one connection may have
// been all that broke.
func (b *breaker) probe() {
	told := false
	for delay := firstProbe; ; delay = min(2*delay, lastProbe) {
		err := b.ping(context.Background())
		b.mu.Lock()
		if err == nil {
			b.open.Store(false)
			b.probing = false
			b.mu.Unlock()
			if told && b.tell != nil {
				b.tell(nil)
			}
			return
		}
		b.note(err)
		b.mu.Unlock()
		if told = true; b.tell != nil {
			b.tell(err)
		}
		if !b.wait(delay/2 + rand.N(delay)) {
			return
		}
	}
}
