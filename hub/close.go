package hub

import (
	"context"
	"fmt"
	"strconv"

	"github.com/gohubkit/hubkit/protocol"
)

// Close closes the connection in order: it sends what is in the backlog, and then a close frame. The client then has
// the close timeout to answer. Close does not block. Package protocol says after which codes a client reconnects.
//
// If a close frame must not carry the code, the connection is closed with 1011 and the error matches ErrCloseCode; see
// protocol.CloseCode.Sendable.
func (c *Conn) Close(code protocol.CloseCode, reason string) error {
	return c.CloseWith(&CloseError{Code: code, Reason: reason})
}

// CloseWith closes the connection as Close does, and may tell the client when to reconnect. why.RetryAfter and
// why.Spread are sent as a retry hint inside the close frame's reason; a negative value counts as zero. OnDisconnect
// gets why with its Err. CloseWith keeps no reference to why. The error is that of Close. It also matches ErrCloseCode
// if why is nil.
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

// sendable replaces a code that must not be sent. A client that gets such a frame fails the connection and learns
// nothing.
func (e *ending) sendable(why *CloseError) *CloseError {
	c := (*Conn)(e)
	c.hub.log.Error("a close frame must not carry this code; the connection is closed with 1011",
		"conn", c.ID(), "code", uint16(why.Code), "reason", why.Reason)
	fixed := *why
	fixed.Code = protocol.CloseInternal
	return &fixed
}

// rescue ends the connection if the goroutine that defers it panics. Such a panic is the hub's own or the broker's.
func (e *ending) rescue() {
	c := (*Conn)(e)
	if v := recover(); v != nil { //nolint:revive // it is what is deferred
		c.crashed(v)
	}
}

// teardown takes the connection out of everything. Its deferred calls run even if the broker panics, or OnDisconnect
// ends this goroutine.
func (e *ending) teardown(why error) {
	c := (*Conn)(e)
	h := c.hub
	defer h.life.Leave()
	defer c.ticket.Done(h.gate)
	defer h.conns.Remove(c)
	defer e.rescue()
	(*connContext)(c).end()
	(*endpoint)(c).Holds(0) // its reader is at its end, or soon will be
	h.beats.Remove((*pulse)(c))
	h.roundTrip.gone(c)
	tell, why := e.release(why)
	h.rooms.LeaveAll((*member)(c))
	(*greeting)(c).unlist(c.Identity().User)
	(*grantee)(c).endRights()
	h.stats.closed(why)
	e.tellEnd(tell, why)
}

// tellEnd tells the application that the connection has left all its rooms and, if tell is set, that it is gone.
func (e *ending) tellEnd(tell bool, why error) {
	c := (*Conn)(e)
	set := c.hub.handlers.set.Load()
	if tell {
		defer e.disconnected(set.disconnect, why) // even if a callback ends this goroutine
	}
	if !set.watchesRooms() {
		return
	}
	var calls []func()
	for _, room := range c.Rooms() {
		c.hub.roomChanged(room)
		calls = append(calls, c.leaveCalls(set, room)...)
	}
	inTurnAll(calls)
}

// tellDisconnected tells the application of the end of a connection whose rooms are left already.
func (e *ending) tellDisconnected(why error) {
	e.disconnected((*Conn)(e).hub.handlers.set.Load().disconnect, why)
}

// disconnected calls what OnDisconnect was given, one after the other, even if one of them ends this goroutine.
func (e *ending) disconnected(hooks []func(context.Context, *Conn, error), why error) {
	c := (*Conn)(e)
	if len(hooks) == 0 {
		return
	}
	defer e.disconnected(hooks[1:], why)
	c.guard("OnDisconnect", func() error {
		hooks[0](c.Context(), c, why)
		return nil
	})
}

// inTurnAll calls functions one after the other, even if one of them ends this goroutine.
func inTurnAll(calls []func()) {
	if len(calls) == 0 {
		return
	}
	defer inTurnAll(calls[1:])
	calls[0]()
}
