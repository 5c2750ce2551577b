package hub

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/gohubkit/hubkit/internal/decoder"
	"github.com/gohubkit/hubkit/internal/frame"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// Close closes the connection in order: what was sent before goes out, then a close frame, and then
// the other side has the close timeout to answer. It does not wait for that. Package protocol says which
// codes make a client come back.
func (c *Conn) Close(code protocol.CloseCode, reason string) {
	c.shut(&CloseError{Code: code, Reason: reason})
}

// shut sends the close frame, and sees to it that the end comes.
func (c *Conn) shut(why *CloseError) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	m := c.more()
	if m.cause != nil {
		c.mu.Unlock()
		return
	}
	m.cause = why
	c.closing.Store(true)
	if m.timer != nil {
		m.timer.Stop()
	}
	m.timer = time.AfterFunc(c.hub.conf.closeTimeout, func() { c.drop(why) })
	c.mu.Unlock()
	c.writer.Finish(frame.AppendClose(nil, uint16(why.Code), why.wireReason()))
}

// wireReason is what the close frame carries.
func (e *CloseError) wireReason() string {
	if e.RetryAfter == 0 && e.Spread == 0 {
		if len(e.Reason) > frame.MaxControl-2 {
			return e.Reason[:frame.MaxControl-2]
		}
		return e.Reason
	}
	return string(protocol.AppendHint(nil, protocol.Hint{RetryAfter: e.RetryAfter, Spread: e.Spread, Reason: e.Reason}))
}

// drop closes the socket at once, and takes the connection out of everything. Only the first call counts.
// It may be called from anywhere, since what may block happens in a goroutine of its own.
func (c *Conn) drop(why error) {
	if !c.gone.CompareAndSwap(false, true) {
		return
	}
	c.writer.Close()
	c.hub.life.run(func() { c.teardown(why) })
}

// teardownTimeout bounds what the broker may take to hear that a member left.
const teardownTimeout = 5 * time.Second

func (c *Conn) teardown(why error) {
	h := c.hub
	c.endContext()
	h.beats.Remove((*pulse)(c))
	c.mu.Lock()
	if c.extra != nil {
		if c.extra.cause != nil {
			why = c.extra.cause
		}
		if c.extra.timer != nil {
			c.extra.timer.Stop()
		}
	}
	welcomed := c.welcomed
	c.departed = true
	if !welcomed {
		c.more().cause = why // for connected, if OnConnect is at it now
	}
	rooms := c.rooms
	c.rooms = nil
	c.mu.Unlock()

	ctx, cancel := context.WithTimeout(h.ctx, teardownTimeout)
	for _, m := range rooms {
		if !m.joining { // else the join finds out, and cleans up
			c.depart(ctx, m.room, m.place)
		}
	}
	cancel()
	h.users.remove(c.Identity().User, c)
	h.stats.closed(why)
	if welcomed {
		c.disconnected(why)
	}
	h.conns.remove(c)
	h.life.leave()
}

// disconnected tells the application of the end.
func (c *Conn) disconnected(why error) {
	if f := c.hub.handlers.set.Load().disconnect; f != nil {
		_ = c.safely("OnDisconnect", func() error {
			f(c.Context(), c, why)
			return nil
		})
	}
}

// readFailed ends a connection whose reader got err.
func (c *Conn) readFailed(err error) {
	var ce *websocket.CloseError
	switch {
	case errors.As(err, &ce) && ce.Code != websocket.CloseAbnormalClosure:
		// gorilla has answered with a close frame, or this is the answer to ours.
		c.drop(&CloseError{Code: protocol.CloseCode(ce.Code), Reason: ce.Text})
	case errors.Is(err, decoder.ErrTooLarge):
		c.shut(&CloseError{Code: protocol.CloseTooBig, Reason: "message too large", Err: err})
		c.linger()
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.shut(&CloseError{Code: protocol.CloseReconnect, Reason: "message took too long", Err: err})
		c.drop(err)
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.As(err, &ce):
		c.drop(&CloseError{Code: protocol.CloseAbnormal, Err: err})
	case isNetError(err):
		c.drop(&CloseError{Code: protocol.CloseAbnormal, Err: err})
	default:
		// A fault of the WebSocket protocol: gorilla has said so in a close frame.
		c.fail(&CloseError{Code: protocol.CloseProtocolError, Err: err})
		c.linger()
	}
}

// fail notes why the connection is closing where the close frame was sent by somebody else.
func (c *Conn) fail(why *CloseError) {
	c.mu.Lock()
	if m := c.more(); m.cause == nil {
		m.cause = why
	}
	c.closing.Store(true)
	c.mu.Unlock()
}

func isNetError(err error) bool {
	var ne net.Error
	var se *os.SyscallError
	return errors.As(err, &ne) || errors.As(err, &se)
}

// lingerBytes bounds what is read and thrown away of a client that was refused.
const lingerBytes = 1 << 20

// linger reads on for a while and throws away what comes, so that the close frame is not lost: a
// socket closed with unread data in it is reset, and the peer may then never see what was sent last.
func (c *Conn) linger() {
	if err := c.conn.SetReadDeadline(time.Now().Add(c.hub.conf.closeTimeout)); err == nil {
		_, _ = io.CopyN(io.Discard, c.conn, lingerBytes)
	}
	c.drop(nil)
}
