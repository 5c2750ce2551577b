package hub

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// life owns the hub's goroutines and knows whether it serves.
type life struct {
	state   atomic.Int32
	mu      sync.Mutex
	running int
	idle    chan struct{} // closed when nothing runs; nil while nobody waits
	failed  func(v any)   // told of the panics of the hub's own code, and of the broker's
}

const (
	unopened int32 = iota
	serving
	draining
	closed
)

func (l *life) open()         { l.state.Store(serving) }
func (l *life) serving() bool { return l.state.Load() == serving }
func (l *life) isClosed() bool {
	return l.state.Load() == closed
}

// advance moves on to a later state and reports whether this call did.
func (l *life) advance(to int32) bool {
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

// run starts a goroutine that wait joins. It survives a panic; what belongs to a connection sees to that itself, with
// Conn.rescue.
func (l *life) run(f func()) {
	l.enter()
	go func() {
		defer l.leave()
		defer l.rescue()
		f()
	}()
}

func (l *life) rescue() {
	if v := recover(); v != nil { //nolint:revive // it is what is deferred
		l.failed(v)
	}
}

func (l *life) enter() {
	l.mu.Lock()
	l.running++
	l.mu.Unlock()
}

func (l *life) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running--; l.running == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// wait returns when nothing runs any more, or ctx ends.
func (l *life) wait(ctx context.Context) error {
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
