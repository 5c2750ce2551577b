package hub

import (
	"context"
	"errors"
	"time"

	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
)

// state is where a connection is in its life. A connection only moves forward, and may skip a state. DESIGN.md shows
// what moves it. All moves are in this file.
type state uint32

const (
	handshaking state = iota // its HTTP request is under way; nothing can be sent
	open                     // what the client sends is handled
	closing                  // what the client sends does not count any more; a close frame is sent, or will be after the answers
	closed                   // the socket is closed, and the connection leaves all that it is part of
)

// lifecycle is a connection's state, its past events and its marks, in one word: see marks. Each is read and changed without a
// lock.
type lifecycle struct{ marks }

const stateBits = 1<<2 - 1

const (
	// registered: the connection is in the registry. From then on, the code that closes it starts its teardown.
	registered uint32 = 1 << (iota + 2)
	// accepted: OnConnect has accepted the connection, so OnDisconnect is told of its end.
	accepted
	// released: the teardown has looked at accepted.
	released
	// left: the context has ended, because the client has left or the connection is closed.
	left
	// tapped: what the client sends is shown to the taps of extra.
	tapped
	firstMark = tapped << 1
)

func stateOf(word uint32) state { return state(word & stateBits) }

// at is the present state.
func (l *lifecycle) at() state { return stateOf(l.bits.Load()) }

// note notes that something has happened, and returns the word as it was before.
func (l *lifecycle) note(what uint32) (before uint32) { return l.bits.Or(what) }

// moveTo moves forward to a state, unless the connection is there or further. It returns the word as it was before.
func (l *lifecycle) moveTo(to state) (before uint32) {
	for {
		before = l.bits.Load()
		if stateOf(before) >= to || l.bits.CompareAndSwap(before, before&^stateBits|uint32(to)) {
			return before
		}
	}
}

// over reports whether the context has ended.
func (l *lifecycle) over() bool {
	word := l.bits.Load()
	return word&left != 0 || stateOf(word) == closed
}

// opened moves a connection to open after its handshake was answered.
func (c *Conn) opened() {
	c.mu.Lock()
	before := stateOf(c.state.moveTo(open))
	var why *CloseError
	if before == closing && c.extra != nil {
		why, _ = errors.AsType[*CloseError](c.extra.cause)
	}
	c.mu.Unlock()
	if why != nil { // closeWith has left the close frame to this call
		(*ending)(c).sendClose(why)
	}
}

// register is called when the connection is in the registry. It reports false if the socket has failed before: then the
// teardown is done when register returns.
func (c *Conn) register() bool {
	if stateOf(c.state.note(registered)) == closed {
		(*ending)(c).teardown(nil)
		return false
	}
	return true
}

// closeWith sends a close frame, and makes sure that the end follows. Any goroutine may call it. Only the first call
// has an effect; closeWith reports whether this was the first. During the handshake the frame is sent after it.
func (c *Conn) closeWith(why *CloseError) bool { return c.closeUnless(why, nil) }

// closeUnless is closeWith, unless changed returns true. It calls changed with mu held.
func (c *Conn) closeUnless(why *CloseError, changed func() bool) bool {
	if !why.Code.Sendable() {
		why = (*ending)(c).sendable(why)
	}
	c.mu.Lock()
	if c.state.at() == closed || c.extra != nil && c.extra.cause != nil || changed != nil && changed() {
		c.mu.Unlock()
		return false
	}
	c.more().cause = why
	before := stateOf(c.state.moveTo(closing))
	c.mu.Unlock()
	(*greeting)(c).unclaim()
	if before != handshaking {
		(*ending)(c).sendClose(why)
	}
	return true
}

// sendClose is called once, by the code that moved the connection to closing, or out of the handshake after that.
func (e *ending) sendClose(why *CloseError) {
	c := (*Conn)(e)
	c.mu.Lock()
	m := c.more()
	if m.timer != nil {
		m.timer.Stop()
	}
	m.timer = time.AfterFunc(c.hub.conf.closeTimeout, func() { c.abort(why) })
	c.mu.Unlock()
	hint := protocol.Hint{RetryAfter: why.RetryAfter, Spread: why.Spread, Reason: why.Reason}
	c.writer.Finish(c.codec().Close(nil, why.Code, hint))
	if c.kind == events { // its client sends no answer
		e.endStream(why)
	}
}

// closeAfterAnswers is closeWith, but after the answers to what the client has sent so far. Later frames are left to
// the client's next connection.
func (c *Conn) closeAfterAnswers(why *CloseError) {
	c.state.moveTo(closing)
	(*greeting)(c).unclaim()
	c.mu.Lock()
	c.more().parting = why
	c.mu.Unlock()
	c.closeIfAnswered()
}

// closeIfAnswered does the rest of closeAfterAnswers, if the reader is at no message. closeAfterAnswers calls it, and
// the reader after each message: the later of the two has the effect.
func (c *Conn) closeIfAnswered() {
	if c.state.handling() != atRest {
		return
	}
	c.mu.Lock()
	var why *CloseError
	if c.extra != nil {
		why, c.extra.parting = c.extra.parting, nil
		c.trim()
	}
	c.mu.Unlock()
	switch {
	case why == nil:
	case c.hub.working(c):
		c.hub.life.RunFor((*endpoint)(c), func() { (*ending)(c).closeBehindTasks(why) })
	default:
		c.closeWith(why)
	}
}

// closeBehindTasks is closeWith, but in turn, behind all tasks of the connection on the worker pool.
func (e *ending) closeBehindTasks(why *CloseError) {
	c := (*Conn)(e)
	ctx := c.Context()
	for {
		queued, err := c.hub.pool.SubmitIfBusy(ctx, c.entry.Num, func(context.Context) { c.closeWith(why) })
		busy, full := errors.AsType[*workerpool.BusyError](err)
		if queued {
			return
		}
		if !full {
			c.closeWith(why)
			return
		}
		select {
		case <-time.After(min(busy.RetryAfter, c.hub.conf.closeTimeout)):
		case <-ctx.Done():
			return
		}
	}
}

// farewell bounds how long the socket has to take a close frame that only a goroutine can write: under TLS, and on
// systems without a poller.
var farewell = time.Second

// closeNow is closeWith and then abort: the close frame goes out only if the socket takes it now.
func (c *Conn) closeNow(why *CloseError) {
	c.closeWith(why)
	if c.writer.Immediate() {
		c.abort(nil)
		return
	}
	c.hub.life.RunFor((*endpoint)(c), func() {
		defer c.abort(nil)
		ctx, cancel := context.WithTimeout(context.Background(), min(farewell, c.hub.conf.closeTimeout))
		defer cancel()
		_ = c.writer.Drained(ctx) // an error means that it will not get there
	})
}

// crashed closes a connection whose goroutine has panicked. The panic is in the hub's own code, the broker's, or that
// of the application's net.Conn.
func (c *Conn) crashed(v any) {
	failed := c.hub.panicked("the hub itself", c, v)
	c.closeWith(&CloseError{Code: protocol.CloseInternal, Err: failed.cause})
}

// abort closes the socket at once. Any goroutine may call it, a fan-out pass included, so the teardown has a goroutine
// of its own. Only the first call has an effect.
func (c *Conn) abort(why error) {
	if (*ending)(c).closeSocket(why) {
		c.hub.life.RunFor((*endpoint)(c), func() { (*ending)(c).teardown(why) })
	}
}

// abortAndWait is abort for a reader at its end, which has nothing else to do: it returns after OnDisconnect.
func (c *Conn) abortAndWait(why error) {
	if (*ending)(c).closeSocket(why) {
		(*ending)(c).teardown(why)
	}
}

// closeSocket moves a connection to closed. It reports whether the caller has to start the teardown. Before the
// connection is registered, that is left to register.
func (e *ending) closeSocket(why error) bool {
	c := (*Conn)(e)
	c.mu.Lock()
	before := c.state.moveTo(closed)
	if stateOf(before) == closed {
		c.mu.Unlock()
		return false
	}
	if before&registered == 0 && c.more().cause == nil {
		c.extra.cause = why
	}
	c.mu.Unlock()
	c.writer.Close()
	return before&registered != 0
}

// accept notes that OnConnect has accepted the connection. If the connection was torn down meanwhile, it reports false
// and why: the caller then tells OnDisconnect.
func (c *Conn) accept() (ok bool, why error) {
	if c.state.note(accepted)&released == 0 {
		return true, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra != nil {
		why = c.extra.cause
	}
	return false, why
}

// release ends what is left of a connection's own life in its teardown. It returns whether to tell OnDisconnect, and
// why the connection has ended.
func (e *ending) release(why error) (tell bool, cause error) {
	c := (*Conn)(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra != nil {
		if c.extra.cause != nil {
			why = c.extra.cause
		}
		if c.extra.timer != nil {
			c.extra.timer.Stop()
		}
	}
	if c.state.note(released)&accepted != 0 {
		return true, why
	}
	c.more().cause = why // for accept, if OnConnect is at it now
	return false, why
}
