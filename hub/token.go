package hub

import (
	"context"
	"time"

	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/protocol"
)

// token handles a new token on an open connection. Whatever the result, the connection stays until its end.
func (v *v1Client) token(q *protocol.Request) {
	c := (*Conn)(v)
	if c.hub.conf.verifyToken == nil {
		c.hub.stats.invalid.Add(1)
		c.replyError(q.ID, "", unknownOp(q.Op))
		return
	}
	c.owe(1, c.hub.conf.costs.Token)
	ok := protocol.OK{ID: q.ID, Room: string(q.Room)}
	refused := &Error{Code: protocol.CodeInternal, Message: "the token verifier failed"} // see guard
	defer func() {
		if refused != nil {
			c.replyError(ok.ID, clip(ok.Room), refused)
			return
		}
		c.send(func(dst []byte, x codec.Codec) []byte { return x.OK(dst, ok) })
	}()
	if ok.Room == "" {
		ok.Expires, refused = v.renewIdentity(string(q.Token))
	} else {
		ok.Expires, ok.ReadOnly, refused = v.renewGrant(ok.Room, string(q.Token))
	}
	if refused == nil {
		c.refreshed(ok.Room)
	}
}

// refreshed calls OnRefresh. A panic closes the connection, because what follows from the new token may be done in
// part.
func (c *Conn) refreshed(room string) {
	f := c.hub.handlers.set.Load().refresh
	if f == nil {
		return
	}
	failed := crash // see guard
	defer func() {
		if failed != nil {
			c.closeWith(c.hub.closeFor(failed, protocol.CloseHandlerPanic))
		}
	}()
	failed = c.guard("OnRefresh", func() error {
		f(c.Context(), c, room)
		return nil
	})
}

func unknownOp(op protocol.Op) *Error {
	return &Error{Code: protocol.CodeUnknownOp, Message: `op "` + op.String() + `" is not known`}
}

// renewIdentity returns how long the identity is valid from now on; zero for ever.
func (v *v1Client) renewIdentity(token string) (time.Duration, *Error) {
	id, refused := v.verifyAgain(token)
	if refused != nil {
		return 0, refused
	}
	o := (*grantee)(v)
	if !o.is(id) {
		return 0, ErrUnauthorized // the connection is closing, so the client does not get it
	}
	return o.validFor(), nil
}

// renewGrant returns how long the right to be in a room is valid from now on, zero for ever, and whether it is
// read-only.
func (v *v1Client) renewGrant(room, token string) (valid time.Duration, readOnly bool, refused *Error) {
	o := (*grantee)(v)
	old := o.held(room)
	if v.rooms.Find(room) == nil {
		return 0, false, &Error{Code: protocol.CodeUnknownRoom, Message: "not joined"}
	}
	id, refused := v.verifyAgain(token)
	switch {
	case refused != nil:
		return 0, false, refused
	case !old.ends():
		return 0, old.readOnly(), nil
	}
	ask, asked := v.askToJoin(room)
	if refused := v.allowed("OnJoin", room, ask); refused != nil {
		return 0, false, refused
	}
	given := narrowest(Grant{ExpiresAt: id.ExpiresAt}, asked)
	if given.over() {
		return 0, false, errGrantOver
	}
	now, ok := o.exchange(old, &given)
	if !ok { // it ended meanwhile
		return 0, false, &Error{Code: protocol.CodeUnknownRoom, Message: "not joined"}
	}
	return now.validFor(), now.readOnly(), nil
}

// verifyAgain verifies a token of a connection whose user is known. Like the token of a hello, it counts as a handshake
// under way meanwhile.
func (v *v1Client) verifyAgain(token string) (id Identity, refused *Error) {
	c := (*Conn)(v)
	h := c.hub
	if !c.ticket.Renew(h.gate) {
		return id, tryLater(0)
	}
	defer c.ticket.Established(h.gate)
	ctx, cancel := context.WithTimeout(c.Context(), h.conf.handshakeTimeout)
	defer cancel()
	failed := c.guard("token verifier", func() (err error) {
		if id, err = h.conf.verifyToken(ctx, token); err != nil {
			return err
		}
		return id.validate(errTokenExpired)
	})
	switch {
	case failed != nil:
		h.report("token verifier", c, failed, c.Context().Err() != nil)
		if failed.verdict() {
			h.log.Info("token refused", append(about("token verifier", c), "err", failed.cause.text)...)
		}
		return id, failed.tokenRefusal()
	case id.User != c.Identity().User:
		h.log.Info("token refused: it is another user's", about("token verifier", c)...)
		return id, &Error{Code: protocol.CodeUnauthorized, Message: "the token is another user's"}
	}
	return id, nil
}

// tokenRefusal is what the client is told of a refused token.
func (f *failure) tokenRefusal() *Error {
	switch {
	case f.crashed:
		return &Error{Code: protocol.CodeInternal, Message: "the token verifier failed"}
	case f.later():
		return tryLater(f.close.RetryAfter)
	case !f.verdict():
		return tryLater(f.hint())
	case f.code() == protocol.CodeUnauthorized:
		return f.call
	}
	return ErrUnauthorized
}

// tryLater tells a client to ask again after a time. Zero draws that time.
func tryLater(after time.Duration) *Error {
	return &Error{Code: protocol.CodeUnavailable, Message: "try again", RetryAfter: orDrawn(after)}
}
