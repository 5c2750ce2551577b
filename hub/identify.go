package hub

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// admits asks the application about a handshake. If the application refuses it, admits answers it.
func (h *Hub) admits(w http.ResponseWriter, r *http.Request, c *Conn) bool {
	if h.conf.tracer != nil {
		c.noteConn(r, false)
	}
	ended := true
	defer func() {
		if ended {
			h.refuseAtEnd(w, r)
		}
	}()
	err := h.admit(r, c)
	ended = false
	(*handshake)(c).takeAnswer(w)
	if err != nil {
		h.log.Info("handshake refused", "remote", r.RemoteAddr, "status", err.Status, "err", err.Err)
		h.refuse(w, r, verdictReason(err.Status), err)
	}
	return err == nil
}

// admit asks the application about a handshake.
func (h *Hub) admit(r *http.Request, c *Conn) *HTTPError {
	refusal := func(what string, f *failure, status int, message string) *HTTPError {
		h.report(what, c, f, r.Context().Err() != nil)
		return h.refusal(f, status, message)
	}
	if f := h.conf.authenticate; f != nil {
		var id Identity
		failed := c.guard("authenticator", func() (err error) {
			if id, err = f(r); err != nil {
				return err
			}
			return id.validate(errExpired)
		})
		if failed != nil {
			return refusal("authenticator", failed, http.StatusUnauthorized, "unauthorized")
		}
		if id.User != "" || id.Info != nil || !id.ExpiresAt.IsZero() {
			c.identity.Store(id.kept())
		}
	}
	if f := h.handlers.set.Load().handshake; f != nil {
		if failed := c.guard("OnHandshake", func() error { return f(r, c) }); failed != nil {
			return refusal("OnHandshake", failed, http.StatusForbidden, "forbidden")
		}
	}
	return nil
}

// validate returns over if the identity has expired already.
func (id *Identity) validate(over error) error {
	if expired(id.ExpiresAt) {
		return over
	}
	if id.Info != nil && !protocol.Valid(id.Info) {
		return errors.New("hub: Identity.Info is not valid JSON")
	}
	return nil
}

// identify verifies the hello's token, by a deadline on the hub's clock. It reports whether the connection may go on.
// Like the authenticator's call, it counts as a handshake under way.
func (g *greeting) identify(by time.Duration, token string) bool {
	c := (*Conn)(g)
	h := c.hub
	f := h.conf.verifyToken
	if f == nil {
		return true
	}
	if why := c.ticket.Verify(h.gate); why != nil {
		h.refusals.note(h, c.ClientAddr(), why)
		c.closeWith(tryAgain(why))
		return false
	}
	defer c.ticket.Established(h.gate)
	ctx, cancel := context.WithDeadline(c.callbackContext(), h.start.Add(by))
	defer cancel()
	came := c.hub.revocations.Arrive()
	defer c.hub.revocations.Done(came)
	var id Identity
	ok := g.taken("token verifier", protocol.CloseUnauthorized, func() (err error) {
		if id, err = f(ctx, token); err != nil {
			return err
		}
		return id.validate(errTokenExpired)
	})
	if ok {
		g.become(id, came)
	}
	return ok
}
