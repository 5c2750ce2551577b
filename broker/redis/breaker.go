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

// breaker makes commands to a server that is gone fail at once, instead of each waiting for a dial, and
// without regard to its context as rueidis does. From the first broken connection until a PING is
// answered it is open.
type breaker struct {
	ping  func(context.Context) error // nil error: the server is back, or of no use any more
	spawn func(func()) bool
	wait  func(time.Duration) bool // false: the broker is closed

	open  atomic.Bool
	mu    sync.Mutex
	cause error
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
	if isBroken(err) {
		b.trip(err)
	}
}

// suspect asks the server whether it is there, and opens the breaker only if it does not answer.
func (b *breaker) suspect() {
	if b.open.Load() {
		return
	}
	b.spawn(func() {
		if err := b.ping(context.Background()); err != nil {
			b.trip(err)
		}
	})
}

// trip opens the breaker.
func (b *breaker) trip(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cause = cause
	if !b.open.Swap(true) && !b.spawn(b.probe) {
		b.open.Store(false)
	}
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

// probe closes the breaker when the server is back. The first try comes at once: one connection may have
// been all that broke.
func (b *breaker) probe() {
	for delay := firstProbe; ; delay = min(2*delay, lastProbe) {
		err := b.ping(context.Background())
		b.mu.Lock()
		if err == nil {
			b.open.Store(false)
			b.mu.Unlock()
			return
		}
		b.cause = err
		b.mu.Unlock()
		if !b.wait(delay/2 + rand.N(delay)) {
			return
		}
	}
}
