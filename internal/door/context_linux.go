package door

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// life is how long an exchange's request goes on.
type life struct {
	hijacked, over atomic.Bool

	mu      sync.Mutex
	real    context.Context // nil until somebody wants to hear of the end
	cancel  context.CancelFunc
	readBy  time.Time   // as the handler has set it
	timer   *time.Timer // of that
	watched bool        // the socket, for the client's leaving
	gone    bool        // the client is
	place   uint32      // in the lobby
	local   net.Addr
}

func (l *life) keepLocal(a net.Addr) {
	l.mu.Lock()
	l.local = a
	l.mu.Unlock()
}

// requestContext is an exchange as its request's context. It ends when the handler returns, and before that when the client leaves.
// The latter costs something only if somebody asks for it.
type requestContext exchange

var _ context.Context = (*requestContext)(nil)

func (c *requestContext) Deadline() (time.Time, bool) { return c.door.base.Deadline() }

func (c *requestContext) Done() <-chan struct{} { return c.begun().Done() }

func (c *requestContext) Err() error { return c.begun().Err() }

func (c *requestContext) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return c.door.srv
	case http.LocalAddrContextKey:
		return c.localAddr()
	}
	l := &c.life
	l.mu.Lock()
	ending := l.real
	l.mu.Unlock()
	if ending != nil { // for package context, which looks for contexts that can be canceled
		return ending.Value(key)
	}
	return c.door.base.Value(key)
}

func (c *requestContext) localAddr() net.Addr {
	l := &c.life
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.local == nil {
		if l.local = c.conn.LocalAddr(); l.local == nil {
			l.local = c.door.listener.Addr() // it is closed
		}
	}
	return l.local
}

// begun returns the context that ends, and has it end.
func (c *requestContext) begun() context.Context {
	l := &c.life
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.real != nil {
		return l.real
	}
	l.real, l.cancel = context.WithCancel(c.door.base)
	switch {
	case l.over.Load(), l.gone:
		l.cancel()
	case !l.hijacked.Load():
		c.watch()
	}
	return l.real
}

// watch has the lobby look whether the client leaves. It is called with mu held.
func (c *requestContext) watch() {
	l, lb := &c.life, c.lobby
	err := c.conn.Use(func(fd int) error {
		lb.mu.Lock()
		defer lb.mu.Unlock()
		l.watched = lb.enter((*exchange)(c), &l.place, fd, syscall.EPOLLRDHUP|unix.EPOLLONESHOT)
		return nil
	})
	if err != nil { // it was cut
		l.cancel()
		return
	}
	l.setTimer(c)
}

// setTimer has the context end when the connection is to be read from no more. It is called with mu held.
func (l *life) setTimer(c *requestContext) {
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.watched && !l.readBy.IsZero() {
		l.timer = time.AfterFunc(time.Until(l.readBy), c.clientLeft)
	}
}

// unwatch ends watch. After that the context ends with the handler.
func (c *requestContext) unwatch() {
	l, lb := &c.life, c.lobby
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	if !l.watched {
		return
	}
	l.watched = false
	leave := func(fd int, closed bool) {
		lb.mu.Lock()
		defer lb.mu.Unlock()
		lb.leave(l.place, fd, closed)
	}
	if c.conn.Use(func(fd int) error { leave(fd, false); return nil }) != nil {
		leave(-1, true)
	}
}

// clientLeft ends the context, since the client has.
func (c *requestContext) clientLeft() {
	l := &c.life
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hijacked.Load() {
		return
	}
	l.gone = true
	if l.cancel != nil {
		l.cancel()
	}
}

// finish ends the context, since the handler has returned.
func (c *requestContext) finish() {
	l := &c.life
	l.over.Store(true)
	c.unwatch()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil {
		l.cancel()
	}
}
