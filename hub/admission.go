package hub

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/protocol"
)

// newGate makes what stands before the handshake; nil where nothing is bounded and no proxy trusted.
func (c *config) newGate() (*admission.Gate, error) {
	a := &c.admission
	if a.Rate == 0 && a.MaxConns == 0 && a.MaxPerIP == 0 && a.MaxHandshakes == 0 && len(a.TrustedProxies) == 0 && !a.TrustUnix {
		return nil, nil
	}
	return admission.New(*a)
}

// ClientAddr returns the address of the client that made a request, to this hub or to another handler: the socket's, or
// where that is one of WithTrustedProxies, what these say in X-Forwarded-For. It is invalid where there is none,
// as on a Unix socket.
func (h *Hub) ClientAddr(r *http.Request) netip.Addr { return h.gate.Addr(r) }

// ClientAddr is the address of the client, which behind one of WithTrustedProxies is not that of the socket. In
// OnHandshake ask the Hub instead.
func (c *Conn) ClientAddr() netip.Addr {
	if c.proxied != nil {
		return *c.proxied
	}
	if c.conn == nil || c.conn.RemoteAddr().Network() == "unix" { // its name may look like an address
		return netip.Addr{}
	}
	r := http.Request{RemoteAddr: c.conn.RemoteAddr().String()}
	return (*admission.Gate)(nil).Addr(&r)
}

// noteAddr keeps the client's address where the socket does not tell it.
func (hs *handshake) noteAddr(r *http.Request) {
	c := (*Conn)(hs)
	if a := &c.hub.conf.admission; len(a.TrustedProxies) == 0 && !a.TrustUnix {
		return
	}
	if addr := c.hub.gate.Addr(r); addr != (*admission.Gate)(nil).Addr(r) {
		c.proxied = &addr
	}
}

// turnAway answers a handshake that the gate has refused.
func (h *Hub) turnAway(w http.ResponseWriter, r *http.Request, why *admission.Refusal) {
	h.refusals.note(h, h.ClientAddr(r), why)
	if why.Soft {
		h.stats.refused.Add(1)
		h.tellAndClose(w, r, tryAgain(why))
		return
	}
	// The descriptor is needed back, whatever the client thinks of keeping the connection.
	w.Header().Set("Connection", "close")
	e := &HTTPError{Status: http.StatusServiceUnavailable, Message: why.Reason.String(), RetryAfter: why.RetryAfter}
	h.refuseUntil(w, r, e, why.Spread)
}

// tryAgain is a refusal in a close frame.
func tryAgain(why *admission.Refusal) *CloseError {
	return &CloseError{
		Code: protocol.CloseTryAgainLater, Reason: why.Reason.String(),
		RetryAfter: why.RetryAfter, Spread: why.Spread,
	}
}

// tellAndClose takes a connection for no longer than it takes to say why it may not stay. It blocks until the client has
// answered, for the close timeout at most.
func (h *Hub) tellAndClose(w http.ResponseWriter, r *http.Request, why *CloseError) {
	c := h.newConn()
	d, err := h.decoders.Upgrade(&h.upgrader, w, oneProtocolLine(r), h.answerHeader(w, r, nil), h.conf.compress, (*handshake)(c).attach)
	if err != nil {
		(*handshake)(c).upgradeFailed(w, r, err)
		return
	}
	c.opened()
	c.closeWith(why) // which aborts it after the close timeout
	for err == nil {
		_, _, err = d.Next(h.conf.closeTimeout)
	}
	c.abort(why)
}

// refusals logs what the gate refuses, once a second at most.
type refusals struct{ next atomic.Int64 } // on the hub's clock

func (l *refusals) note(h *Hub, client netip.Addr, why *admission.Refusal) {
	now, next := int64(h.now()), l.next.Load()
	if now < next || !l.next.CompareAndSwap(next, now+int64(time.Second)) {
		return
	}
	s := h.admissionStats()
	h.log.Warn("handshakes refused", "reason", why.Reason.String(), "retry_after", why.RetryAfter, "client", client.String(),
		"rate_limited", s.RateLimited, "at_capacity", s.AtCapacity, "per_address", s.PerAddress, "handshakes", s.Handshakes)
}

// AdmissionStats is what the gate before the handshake has done and is doing. Where nothing is bounded it is zero.
type AdmissionStats struct {
	// MaxConns is the bound on connections in force; zero where there is none.
	MaxConns int
	// Handshaking connections now, and Addresses of clients that have a connection. Both are zero unless bounds need them.
	Handshaking, Addresses int
	// WaitingResuming and WaitingNew are clients that were told to come back at a time that has not come.
	WaitingResuming, WaitingNew int
	// Resumed handshakes were admitted of clients that came back with a valid ticket.
	Resumed int64
	// ValidTickets, InvalidTickets and ExpiredTickets count the resume tickets that handshakes brought.
	ValidTickets, InvalidTickets, ExpiredTickets int64
	// BeyondShare handshakes came beyond the share that WithAddressRate gives their address, while other addresses came
	// too. They were admitted or refused after the others.
	BeyondShare int64
	// RateLimited handshakes were refused for the rate of WithAdmission, AtCapacity for the bound on connections, PerAddress
	// for that of one address, and Handshakes for the bound on handshakes under way. Soft of them were told in a close
	// frame. All are in Refused, but for those that BusyVerifiers counts: their connection was accepted, and closed with 1013
	// instead of calling the token verifier. BusyVerifiers also counts renewals that were put off for the same reason.
	RateLimited, AtCapacity, PerAddress, Handshakes, Soft, BusyVerifiers int64
}

func (h *Hub) admissionStats() AdmissionStats {
	s := h.gate.Stats()
	out := AdmissionStats{
		MaxConns:        h.conf.admission.MaxConns,
		Handshaking:     s.Handshaking,
		Addresses:       s.Addresses,
		WaitingResuming: s.WaitingResuming,
		WaitingNew:      s.WaitingNew,
		Resumed:         s.Resumed,
		RateLimited:     s.RateLimited,
		AtCapacity:      s.AtCapacity,
		PerAddress:      s.PerAddress,
		Handshakes:      s.Handshakes,
		Soft:            s.Soft,
		BusyVerifiers:   s.Verifiers,
		BeyondShare:     s.Beyond,
	}
	if t := h.tickets; t != nil {
		out.ValidTickets, out.InvalidTickets, out.ExpiredTickets = t.valid.Load(), t.invalid.Load(), t.expired.Load()
	}
	return out
}
