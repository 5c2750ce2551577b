package hub

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/protocol"
)

// newGate returns the gate in front of the handshake. It returns nil if nothing is bounded and no proxy is trusted.
func (c *config) newGate() (*admission.Gate, error) {
	a := &c.admission
	if a.Rate == 0 && a.MaxConns == 0 && a.MaxPerIP == 0 && a.MaxHandshakes == 0 && len(a.TrustedProxies) == 0 && !a.TrustUnix {
		return nil, nil
	}
	return admission.New(*a)
}

// ClientAddr returns the address of the client that made a request, to this hub or to another handler. It is the
// socket's address. If that belongs to one of WithTrustedProxies, it is the address that X-Forwarded-For gives. If
// there is none, as on a Unix socket, the address is invalid.
func (h *Hub) ClientAddr(r *http.Request) netip.Addr { return h.gate.Addr(r) }

// ClientAddr returns the address of the client. Behind one of WithTrustedProxies that is not the socket's address. In
// OnHandshake, call Hub.ClientAddr instead.
func (c *Conn) ClientAddr() netip.Addr {
	if c.proxied.IsValid() {
		return c.proxied
	}
	if c.writer.Conn() == nil || c.writer.Conn().RemoteAddr().Network() == "unix" { // its name may look like an address
		return netip.Addr{}
	}
	r := http.Request{RemoteAddr: c.writer.Conn().RemoteAddr().String()}
	return (*admission.Gate)(nil).Addr(&r)
}

// noteAddr keeps the client's address if it differs from the socket's.
func (hs *handshake) noteAddr(r *http.Request) {
	c := (*Conn)(hs)
	if a := &c.hub.conf.admission; len(a.TrustedProxies) == 0 && !a.TrustUnix {
		return
	}
	if addr := c.hub.gate.Addr(r); addr != (*admission.Gate)(nil).Addr(r) {
		if c.setting == c.hub.usual {
			c.setting = &setting{hub: c.hub}
		}
		c.proxied = addr
	}
}

// turnAway answers a handshake that the gate has refused.
func (h *Hub) turnAway(w http.ResponseWriter, r *http.Request, why *admission.Refusal) {
	if why.Soft {
		h.refusals.note(h, h.ClientAddr(r), why)
		h.stats.refused[gateReason(why.Reason)].Add(1)
		h.tellAndClose(w, r, tryAgain(why))
		return
	}
	h.refuseUntil(w, r, gateReason(why.Reason), h.gated(w, r, why), why.Spread)
}

// gated notes that the gate has refused a request, and returns the answer.
func (h *Hub) gated(w http.ResponseWriter, r *http.Request, why *admission.Refusal) *HTTPError {
	h.refusals.note(h, h.ClientAddr(r), why)
	// The hub needs the descriptor back, even if the client wants to keep the connection.
	w.Header().Set("Connection", "close")
	return &HTTPError{Status: http.StatusServiceUnavailable, Message: why.Reason.String(), RetryAfter: why.RetryAfter}
}

// tryAgain is a refusal in a close frame.
func tryAgain(why *admission.Refusal) *CloseError {
	return &CloseError{
		Code: protocol.CloseTryAgainLater, Reason: why.Reason.String(),
		RetryAfter: why.RetryAfter, Spread: why.Spread,
	}
}

// tellAndClose accepts a connection only to tell the client why it is refused. It blocks until the client has answered,
// at most for the close timeout.
func (h *Hub) tellAndClose(w http.ResponseWriter, r *http.Request, why *CloseError) {
	c := h.newConn()
	d, agreement, err := (*handshake)(c).upgrade(w, r, h.answerHeader(w, r, nil))
	if err != nil {
		(*handshake)(c).upgradeFailed(w, r, err)
		return
	}
	if d == nil {
		d = h.decoders.Get((*endpoint)(c), agreement.Compressed)
	}
	c.opened()
	c.closeWith(why) // which aborts it after the close timeout
	for err == nil {
		_, _, err = d.Next(h.conf.closeTimeout)
	}
	c.abort(why)
}

// refusals logs the gate's refusals, at most once a second.
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

// AdmissionStats has the figures of the gate in front of the handshake. All are zero if nothing is bounded.
type AdmissionStats struct {
	// MaxConns is the bound on connections in force; zero if there is none.
	MaxConns int
	// Handshaking is how many handshakes are under way. Addresses is how many client addresses have a connection. Each
	// is zero if no bound needs it.
	Handshaking, Addresses int
	// WaitingResuming and WaitingNew count the refused clients whose retry hint has not passed yet.
	WaitingResuming, WaitingNew int
	// Resumed counts the admitted handshakes with a valid resume ticket.
	Resumed int64
	// ValidTickets, InvalidTickets and ExpiredTickets count the resume tickets that handshakes brought.
	ValidTickets, InvalidTickets, ExpiredTickets int64
	// BeyondShare counts the handshakes that exceeded their address's share (WithAddressRate) while other addresses
	// were waiting. The gate decided on them after the others.
	BeyondShare int64
	// RateLimited counts the handshakes that were refused for the rate of WithAdmission. AtCapacity counts those
	// refused for the bound on connections, PerAddress for the bound of one address, and Handshakes for the bound on
	// handshakes under way. Soft counts those of them whose client was told in a close frame. All of these are in
	// Stats.Refused.
	//
	// BusyVerifiers counts the connections that were accepted and then closed with 1013, because too many calls of the
	// token verifier were under way. It also counts the renewals that were put off for that reason.
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
