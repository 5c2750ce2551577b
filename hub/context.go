package hub

import (
	"context"
	"slices"
	"sync"
	"time"
)

// connContext is a Conn seen as a context. A connection whose context nothing waits on pays nothing for it.
type connContext Conn

type connKey struct{}

// ConnFromContext returns the connection that a callback's context belongs to.
func ConnFromContext(ctx context.Context) (*Conn, bool) {
	c, ok := ctx.Value(connKey{}).(*Conn)
	return c, ok
}

func (x *connContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (x *connContext) Value(key any) any {
	if _, ok := key.(connKey); ok {
		return (*Conn)(x)
	}
	return nil
}

func (x *connContext) Err() error {
	if (*Conn)(x).state.over() {
		return context.Canceled
	}
	return nil
}

func (x *connContext) Done() <-chan struct{} {
	c := (*Conn)(x)
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more()
	if m.done == nil {
		m.done = make(chan struct{})
		if c.state.has(left) {
			close(m.done)
		}
	}
	return m.done
}

// AfterFunc lets contexts derived from this one end with it without a goroutine each; see context.AfterFunc.
func (x *connContext) AfterFunc(f func()) (stop func() bool) {
	return x.after(f, false)
}

// lifeContext is a connContext that lasts until the socket is closed. The client's requests from before it left run in
// it. Only contexts derived from it are waited for.
type lifeContext Conn

var never = make(chan struct{})

func (x *lifeContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (x *lifeContext) Value(key any) any           { return (*connContext)(x).Value(key) }

func (x *lifeContext) Err() error {
	if (*Conn)(x).state.at() == closed {
		return context.Canceled
	}
	return nil
}

// Done only says that the context can end: AfterFunc says when.
func (x *lifeContext) Done() <-chan struct{} { return never }

// AfterFunc is what a derived context waits with.
func (x *lifeContext) AfterFunc(f func()) (stop func() bool) {
	return (*connContext)(x).after(f, true)
}

// after is a function to be called when the context ends; with gone, not before the socket is closed.
type after struct {
	f    func()
	gone bool
}

func (x *connContext) after(f func(), gone bool) (stop func() bool) {
	c := (*Conn)(x)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.at() == closed || !gone && c.state.has(left) {
		c.hub.life.RunFor((*endpoint)(c), f)
		return func() bool { return false }
	}
	a := &after{f: f, gone: gone}
	m := c.more()
	m.after = append(m.after, a)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		m := c.more()
		i := slices.Index(m.after, a)
		if i >= 0 {
			m.after = slices.Delete(m.after, i, i+1)
		}
		if len(m.after) == 0 {
			m.after = nil
		}
		c.trim()
		return i >= 0
	}
}

// end ends the context of a connection that is closed. It is called once.
func (x *connContext) end() {
	x.mu.Lock()
	x.runAfter(true)
}

// leave ends the context of a connection if its client has gone while its reader is in a handler. The reader goes on:
// it handles what the client sent before it left, and then the connection ends.
func (x *connContext) leave() {
	x.mu.Lock()
	if x.state.at() == closed { // end does it, or has
		x.mu.Unlock()
		return
	}
	x.runAfter(false)
}

// runAfter ends the context. Without gone it spares what waits for the socket. It is called with mu held, and unlocks
// it.
func (x *connContext) runAfter(gone bool) {
	c := (*Conn)(x)
	var due []*after
	first := c.state.note(left)&left == 0
	if m := c.extra; m != nil {
		if m.done != nil && first {
			close(m.done)
		}
		due = m.after
		m.after = nil
		for _, a := range due {
			if a.gone && !gone {
				m.after = append(m.after, a)
			}
		}
	}
	c.mu.Unlock()
	if first {
		(*greeting)(c).unclaim()
	}
	for _, a := range due {
		if gone || !a.gone {
			c.hub.life.RunFor((*endpoint)(c), a.f)
		}
	}
}

// requestTimeout bounds how long the broker may take for a client's request, so that a lost broker does not keep the
// request for ever.
const requestTimeout = 10 * time.Second

// requestContext is a lifeContext with a deadline. The deadline is put off while the request waits for the client. Its
// timer, and what a context needs to be waited for, are made only if something waits: most requests are done before
// that.
type requestContext struct {
	conn *lifeContext

	mu       sync.Mutex
	deadline time.Time
	paused   bool // the request waits for the client
	late     bool // the deadline has passed
	real     context.Context
	cancel   context.CancelFunc
	timer    *time.Timer
}

// request returns the context of a client's request. finish must be called at its end.
func (v *v1Client) request() *requestContext {
	c := (*Conn)(v)
	return &requestContext{conn: (*lifeContext)(c), deadline: time.Now().Add(requestTimeout)}
}

func (x *requestContext) finish() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.real == nil {
		x.real = ended
		return
	}
	x.timer.Stop()
	x.cancel()
}

// ended is the context of a request that is done, and that nothing has waited on.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Pause implements rooms.Patient.
func (x *requestContext) Pause() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.paused = true
	if x.timer != nil {
		x.timer.Stop()
	}
}

// Resume implements rooms.Patient. The broker has the whole time again.
func (x *requestContext) Resume() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.paused, x.deadline = false, time.Now().Add(requestTimeout)
	if x.timer != nil {
		x.timer.Reset(requestTimeout)
	}
}

// expire is called by the timer, which may run after a Pause has begun.
func (x *requestContext) expire() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over() {
		x.late = true
		x.cancel()
	}
}

// over is called with mu held.
func (x *requestContext) over() bool { return !x.paused && !time.Now().Before(x.deadline) }

func (x *requestContext) Deadline() (time.Time, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.deadline, !x.paused
}

func (x *requestContext) Value(key any) any { return (*Conn)(x.conn).callbackContext().Value(key) }

func (x *requestContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.late, x.real == nil && x.over():
		return context.DeadlineExceeded
	case x.real != nil:
		return x.real.Err()
	}
	return x.conn.Err()
}

func (x *requestContext) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.real == nil {
		x.real, x.cancel = context.WithCancel(x.conn)
		x.timer = time.AfterFunc(time.Until(x.deadline), x.expire)
		if x.paused {
			x.timer.Stop()
		}
	}
	return x.real.Done()
}
