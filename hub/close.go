package hub

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/gohubkit/hubkit/protocol"
)

// Close closes the connection in order: what was sent before goes out, then a close frame, and then
// the other side has the close timeout to answer. It does not wait for that. Package protocol says which
// codes make a client come back.
//
// The error matches ErrCloseCode if a close frame must not carry the code: see protocol.CloseCode.Sendable. The
// connection is closed then too, with 1011.
func (c *Conn) Close(code protocol.CloseCode, reason string) error {
	return c.CloseWith(&CloseError{Code: code, Reason: reason})
}

// CloseWith is Close, and may also tell the client when to come back: by why.RetryAfter and why.Spread, which are sent as a
// hint inside the close frame's reason. A negative one counts as zero. OnDisconnect is told why, with why.Err. why is not kept.
// The error is that of Close; for a nil why too, whose code is zero.
func (c *Conn) CloseWith(why *CloseError) error {
	var as CloseError
	if why != nil {
		as = *why
	}
	if code := as.Code; !code.Sendable() {
		as.Code = protocol.CloseInternal
		c.closeWith(&as)
		return closeCodeError(code, "the connection is closed with "+strconv.Itoa(int(as.Code)))
	}
	c.closeWith(&as)
	return nil
}

func closeCodeError(code protocol.CloseCode, so string) error {
	return fmt.Errorf("%w: %d; %s", ErrCloseCode, code, so)
}

// sendable replaces a code that must not be sent: a client fails a connection over such a frame and learns nothing.
func (e *ending) sendable(why *CloseError) *CloseError {
	c := (*Conn)(e)
	c.hub.log.Error("a close frame must not carry this code; the connection is closed with 1011",
		"conn", c.ID(), "code", uint16(why.Code), "reason", why.Reason)
	fixed := *why
	fixed.Code = protocol.CloseInternal
	return &fixed
}

// wireReason is what the close frame carries.
func (e *CloseError) wireReason() string {
	if e.RetryAfter == 0 && e.Spread == 0 {
		// A reason that is not UTF-8, or half a character at its end, would be a fault of the protocol.
		return strings.ToValidUTF8(e.Reason[:min(len(e.Reason), protocol.MaxReason)], "")
	}
	return string(protocol.AppendHint(nil, protocol.Hint{RetryAfter: e.RetryAfter, Spread: e.Spread, Reason: e.Reason}))
}

// rescue ends the connection if the goroutine that defers it panics: that was the hub's own code, or the broker's.
func (e *ending) rescue() {
	c := (*Conn)(e)
	if v := recover(); v != nil { //nolint:revive // it is what is deferred
		c.crashed(v)
	}
}

// teardown takes the connection out of everything. What it defers is done even if the broker panics, or OnDisconnect
// ends this goroutine.
func (e *ending) teardown(why error) {
	c := (*Conn)(e)
	h := c.hub
	defer h.life.Leave()
	defer c.ticket.Done()
	defer h.conns.Remove(c)
	defer e.rescue()
	(*connContext)(c).end()
	(*endpoint)(c).Holds(0) // its reader is at its end, or soon will be
	h.beats.Remove((*pulse)(c))
	tell, why := e.release(why)
	h.rooms.LeaveAll((*member)(c))
	(*greeting)(c).unlist(c.Identity().User)
	(*grantee)(c).endRights()
	h.stats.closed(why)
	if tell {
		e.tellDisconnected(why)
	}
}

// tellDisconnected tells the application of the end.
func (e *ending) tellDisconnected(why error) {
	c := (*Conn)(e)
	e.tellEnd(c.hub.handlers.set.Load().disconnect, why)
}

// tellEnd calls what is left to call, even if one of them ends this goroutine.
func (e *ending) tellEnd(hooks []func(context.Context, *Conn, error), why error) {
	c := (*Conn)(e)
	if len(hooks) == 0 {
		return
	}
	defer e.tellEnd(hooks[1:], why)
	c.guard("OnDisconnect", func() error {
		hooks[0](c.Context(), c, why)
		return nil
	})
}
