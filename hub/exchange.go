package hub

import (
	"context"
	"net/http"
)

// exchange is a request to a handler beside the hub itself, and its answer: see postanswer.go for how it is refused.
type exchange struct {
	hub     *Hub
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController

	refusals *refusalCounts // counts the refusals
}

func (h *Hub) newExchange(w http.ResponseWriter, r *http.Request, refusals *refusalCounts) exchange {
	return exchange{hub: h, w: w, r: r, control: http.NewResponseController(w), refusals: refusals}
}

// known asks the application which user the client is. If the application refuses the request, known answers it.
func (p *exchange) known(c *Conn, token string) bool {
	refused := p.ask(c, token)
	if refused == nil {
		return true
	}
	p.refuse(verdictReason(refused.Status), refused)
	return false
}

// ask asks the application which user the client is, and returns the refusal if there is one.
func (p *exchange) ask(c *Conn, token string) *HTTPError {
	h := p.hub
	if h.conf.tracer != nil {
		c.noteConn(p.r, p.refusals == &h.stats.postsRefused)
	}
	refused := h.admit(p.r, c)
	if refused == nil {
		refused = p.verify(c, token)
	}
	(*handshake)(c).takeAnswer(p.w)
	if refused != nil {
		h.log.Info("request refused", "remote", p.r.RemoteAddr, "status", refused.Status, "err", refused.Err)
	}
	return refused
}

// verify asks the token verifier about the token that the request carries in place of a hello's.
func (p *exchange) verify(c *Conn, token string) *HTTPError {
	h := p.hub
	f := h.conf.verifyToken
	if f == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.callbackContext(), h.conf.handshakeTimeout)
	defer cancel()
	var id Identity
	failed := c.guard("token verifier", func() (err error) {
		if id, err = f(ctx, token); err != nil {
			return err
		}
		return id.validate(errTokenExpired)
	})
	if failed != nil {
		h.report("token verifier", c, failed, p.r.Context().Err() != nil)
		return h.refusal(failed, http.StatusUnauthorized, "unauthorized")
	}
	c.identity.Store(id.kept())
	return nil
}
