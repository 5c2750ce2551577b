// Package life owns the goroutines of a hub, and knows whether the hub serves.
package life

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Owner is what a goroutine works for: a connection, or the hub as a whole.
type Owner interface {
	// Crashed is called in a goroutine of the owner's that has panicked, as its last act. It ends what the goroutine
	// worked for, and nothing else.
	Crashed(v any)
}

// Life is the life of a hub: it serves, drains and is closed, in this order. The zero Life serves nobody yet. Its methods
// may be called from several goroutines.
type Life struct {
	// Hub owns the goroutines of Run.
	Hub Owner

	state   atomic.Int32
	mu      sync.Mutex
	running int
	idle    chan struct{} // closed when nothing runs; nil while nobody waits
}

const (
	starting int32 = iota
	serving
	draining
	closed
)

// Open begins to serve, unless the Life is further already.
func (l *Life) Open() { l.advance(serving) }

// Drain ends serving. It reports whether this call did.
func (l *Life) Drain() bool { return l.advance(draining) }

// Close is the last state. It reports whether this call led to it.
func (l *Life) Close() bool { return l.advance(closed) }

// Serving reports whether the Life is open, and neither draining nor closed.
func (l *Life) Serving() bool { return l.state.Load() == serving }

// Closed reports whether the Life is closed.
func (l *Life) Closed() bool { return l.state.Load() == closed }

func (l *Life) advance(to int32) bool {
	for {
		s := l.state.Load()
		if s >= to {
			return false
		}
		if l.state.CompareAndSwap(s, to) {
			return true
		}
	}
}

// Run calls f in a goroutine of the hub's.
func (l *Life) Run(f func()) { l.RunFor(l.Hub, f) }

// RunFor calls f in a goroutine that Wait joins. If f panics, the process goes on, and the owner is told.
func (l *Life) RunFor(of Owner, f func()) {
	l.Enter()
	go func() {
		defer l.Leave()
		defer func() {
			if v := recover(); v != nil {
				of.Crashed(v)
			}
		}()
		f()
	}()
}

// Enter counts something that Wait waits for, until Leave is called.
func (l *Life) Enter() {
	l.mu.Lock()
	l.running++
	l.mu.Unlock()
}

// Leave ends what Enter began.
func (l *Life) Leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running--; l.running == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// Wait blocks until nothing runs any more, or ctx ends. Its error then says how much still runs.
func (l *Life) Wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		n := l.running
		if n == 0 {
			l.mu.Unlock()
			return nil
		}
		if l.idle == nil {
			l.idle = make(chan struct{})
		}
		idle := l.idle
		l.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("hub: closed with %d callbacks or connections still busy: %w", n, context.Cause(ctx))
		}
	}
}
