package hub

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
)

// state is where a connection is in its life. A connection only moves on, and may leave a state out. DESIGN.md shows who
// moves it. All moves are in this file.
type state uint32

const (
	handshaking state = iota // its HTTP request is under way; nothing can be sent
	open                     // what the client sends is handled
	closing                  // what the client sends does not count any more; a close frame is sent, or will be after the answers
	closed                   // the socket is closed, and the connection leaves all that it is part of
)

// lifecycle is a connection's state and what has happened on the way, in one word. Each is read and changed without a lock,
// and each change tells what was there before.
type lifecycle struct{ word atomic.Uint32 }

const stateBits = 1<<2 - 1

const (
	// registered: the connection is in the registry. Whoever closes it from then on starts its teardown.
	registered uint32 = 1 << (iota + 2)
	// accepted: OnConnect has taken the connection, so OnDisconnect is told of its end.
	accepted
	// released: the teardown has looked at accepted.
	released
	// left: the context is over, because the client has left or the connection is closed.
	left
)

func stateOf(word uint32) state { return state(word & stateBits) }

// at is the present state.
func (l *lifecycle) at() state { return stateOf(l.word.Load()) }

// has reports whether something has happened.
func (l *lifecycle) has(what uint32) bool { return l.word.Load()&what != 0 }

// note notes that something has happened, and returns the word as it was before.
func (l *lifecycle) note(what uint32) (before uint32) { return l.word.Or(what) }

// moveTo moves on to a state, if the connection is not there already or further. It returns the word as it was before.
func (l *lifecycle) moveTo(to state) (before uint32) {
	for {
		before = l.word.Load()
		if stateOf(before) >= to || l.word.CompareAndSwap(before, before&^stateBits|uint32(to)) {
			return before
		}
	}
}

// over reports whether the context is over.
func (l *lifecycle) over() bool {
	word := l.word.Load()
	return word&left != 0 || stateOf(word) == closed
}

// opened moves a connection on whose handshake has been answered.
func (c *Conn) opened() {
	c.mu.Lock()
	before := stateOf(c.state.moveTo(open))
	var why *CloseError
	if before == closing && c.extra != nil {
		why, _ = errors.AsType[*CloseError](c.extra.cause)
	}
	c.mu.Unlock()
	if why != nil { // closeWith has left it to us
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

// closeWith sends a close frame, and sees to it that the end comes. It may be called from anywhere. The first call counts, and
// during the handshake the frame is sent after it. It reports whether this was the first call.
func (c *Conn) closeWith(why *CloseError) bool { return c.closeUnless(why, nil) }

// closeUnless is closeWith, unless something has changed the matter; it asks for that with mu held.
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

// sendClose is called once, by whoever moved the connection to closing, or out of the handshake after that.
func (e *ending) sendClose(why *CloseError) {
	c := (*Conn)(e)
	c.mu.Lock()
	m := c.more()
	if m.timer != nil {
		m.timer.Stop()
	}
	m.timer = time.AfterFunc(c.hub.conf.closeTimeout, func() { c.abort(why) })
	c.mu.Unlock()
	c.writer.Finish(frame.AppendClose(nil, uint16(why.Code), why.wireReason()))
}

// closeAfterAnswers is closeWith, but after the answers to what the client has sent so far. What it sends from now on is for
// another connection.
func (c *Conn) closeAfterAnswers(why *CloseError) {
	c.state.moveTo(closing)
	(*greeting)(c).unclaim()
	c.mu.Lock()
	c.more().parting = why
	c.mu.Unlock()
	c.closeIfAnswered()
}

// closeIfAnswered does what closeAfterAnswers has left to do, if the reader is at no message. It is called by
// closeAfterAnswers, and by the reader after each message: whoever comes last does it.
func (c *Conn) closeIfAnswered() {
	if c.handling.Load() != atRest {
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

// closeBehindTasks is closeWith, but behind all that the connection has on the worker pool, in its turn.
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

// farewell is what a socket has to take the close frame that only a goroutine can write: under TLS, and on systems without a
// poller.
const farewell = time.Second

// closeNow is closeWith, and then abort: the close frame goes out if the socket takes it now.
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

// crashed closes a connection whose goroutine has panicked: that was the hub's own code, the broker's, or that of a net.Conn
// that the application has made.
func (c *Conn) crashed(v any) {
	failed := c.hub.panicked("the hub itself", c, v)
	c.closeWith(&CloseError{Code: protocol.CloseInternal, Err: failed.cause})
}

// abort closes the socket at once. It may be called from anywhere, a fan-out pass included, and so the teardown has a goroutine
// of its own. The first call counts.
func (c *Conn) abort(why error) {
	if (*ending)(c).closeSocket(why) {
		c.hub.life.RunFor((*endpoint)(c), func() { (*ending)(c).teardown(why) })
	}
}

// abortAndWait is abort for a reader at its end, which has nothing else to do: it returns when OnDisconnect has.
func (c *Conn) abortAndWait(why error) {
	if (*ending)(c).closeSocket(why) {
		(*ending)(c).teardown(why)
	}
}

// closeSocket moves a connection to closed. It reports whether the teardown is the caller's to start: before the connection
// is registered it is left to register, if that comes.
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

// accept notes that OnConnect has taken the connection. It reports false, and why, if the connection was torn down meanwhile:
// the teardown has then left it to the caller to tell OnDisconnect.
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

// release ends what is left of a connection's own life in its teardown. It returns whether OnDisconnect has to hear of the
// end, and why the connection has ended.
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
