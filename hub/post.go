package hub

import (
	"context"
	"errors"
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/internal/core/registry"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
)

// Post returns a handler by which clients without a connection publish and call: one POST for each, with the data as
// its body. In the query, room=NAME publishes and method=NAME calls a handler. PROTOCOL.md has all parameters.
//
// A request passes the same checks as a handshake: the rules of origins, WithAuthenticator, OnHandshake and
// WithTokenVerifier, which gets the token of the Authorization header, as in "Bearer TOKEN". Then OnPublish decides, or
// the handler answers. OnConnect and OnDisconnect are not called, since there is no connection. So put checks that keep
// a client out into the functions above. A Grant has no effect here either, because the client is in no room.
//
// The Conn that these functions get is the request's own, and ends with it. It has an ID, an Identity, an address and
// the values of Set. Its Context ends when the client leaves. It is in no room and has no socket: Send and Join return
// ErrClosed, and Close has no effect. Conn.Session is the session=NAME of the query.
//
// A body may be as large as WithMaxMessage allows, and take WithReadTimeout to arrive. All bodies together count in
// WithMemoryBudget. WithRateLimit and WithByteRateLimit apply to all requests of a user together, or of an address if
// the client is anonymous: an IPv4 address or an IPv6 /64. Calls of Heavy handlers take turns in the same way. The
// bounds on connections, from WithAdmission to WithMaxHandshakes, apply to requests under way. These are counted apart,
// so that neither keeps the other out.
//
// A raw hub answers all requests with 501.
func (h *Hub) Post() http.Handler { return http.HandlerFunc(h.servePost) }

// post is a request of Post.
type post struct {
	exchange
	conn  *Conn
	query postQuery
	held  int // bytes of the memory budget

	came     registry.Arrival
	arriving bool // came is not done
}

func (h *Hub) servePost(w http.ResponseWriter, r *http.Request) {
	if h.conf.tracer != nil && h.traced(SpanPost, w, r, h.servePost) {
		return
	}
	h.life.Enter()
	defer h.life.Leave()
	p := &post{exchange: h.newExchange(w, r, &h.stats.postsRefused)}
	ended := true
	defer func() {
		if ended { // a callback has ended this goroutine
			p.refuseAtEnd()
		}
	}()
	p.serve()
	ended = false
}

func (p *post) serve() {
	h := p.hub
	if e, why := p.unfit(http.MethodPost); e != nil {
		p.refuse(why, e)
		return
	}
	if p.r.Method == http.MethodOptions {
		p.preflight(http.MethodPost)
		return
	}
	fault := p.query.read(p.r)
	if fault != nil {
		p.fail(fault)
		return
	}
	gate, err := h.posting.gateOf(h)
	if err != nil {
		p.refuse(RefusedUnavailable, &HTTPError{Status: http.StatusInternalServerError, Message: "internal error", Err: err})
		return
	}
	ticket, refusal := gate.Arrive(p.r, false)
	if refusal != nil {
		e := h.gated(p.w, p.r, refusal)
		e.Message = "too many requests" // its bounds are named after connections
		p.refuse(gateReason(refusal.Reason), e)
		return
	}
	defer ticket.Done(gate)
	c := h.newConn()
	p.conn = c
	p.came = h.revocations.Arrive()
	p.arriving = true
	defer p.arrived()
	p.begin()
	defer p.end()
	leave := (*connContext)(c).leave
	defer context.AfterFunc(p.r.Context(), leave)()
	defer context.AfterFunc(h.posting.ctx, leave)()
	if !p.known(c, p.query.token) {
		return
	}
	ticket.Established(gate)
	p.carryOut()
}

// begin prepares the Conn: no room takes it, nothing is sent to it, and its context ends with the request.
func (p *post) begin() {
	c := p.conn
	c.writer.Init((*endpoint)(c), nowhere{remote: peerOf(p.r)}, -1, false)
	c.writer.Close()
	p.hub.rooms.LeaveAll((*member)(c))
	(*handshake)(c).noteAddr(p.r)
	if s := p.query.session; s != "" {
		c.extra = &extra{session: s}
	}
}

// end ends the context. A task of the request may still run on the worker pool.
func (p *post) end() {
	c := p.conn
	c.state.moveTo(closed)
	(*connContext)(c).end()
	p.hub.memory.add(-p.held)
}

// carryOut does what the request of an admitted client asks for.
func (p *post) carryOut() {
	h := p.hub
	payer := p.payer()
	if wait, ok := h.posting.payers.take(h, payer, 1, 0); !ok {
		p.tooFast(wait, "too many messages")
		return
	}
	data, fault := p.body()
	if fault != nil {
		p.fail(fault)
		return
	}
	if wait, ok := h.posting.payers.take(h, payer, 0, len(data)); !ok {
		p.tooFast(wait, "too many bytes")
		return
	}
	h.stats.received.Add(1)
	h.stats.receivedBytes.Add(int64(len(data)))
	why := p.revoked()
	p.arrived()
	if why != nil {
		p.refuse(verdictReason(why.Status), why)
		return
	}
	h.stats.posted.Add(1)
	if p.query.method != "" {
		p.call(payer, data)
		return
	}
	p.publish(data)
}

// payer names the payer of the request: its user, or if the client is anonymous its address.
func (p *post) payer() string {
	if user := p.conn.Identity().User; user != "" {
		return "user:" + user
	}
	addr := p.hub.ClientAddr(p.r)
	if key, ok := admission.OriginKey(addr); ok {
		return "addr:" + strconv.FormatUint(key, 16)
	}
	return "addr:" + addr.String()
}

// revoked returns why the request is refused if its user was disconnected while it was on its way.
func (p *post) revoked() *HTTPError {
	user := p.conn.Identity().User
	if user == "" {
		return nil
	}
	for _, why := range p.hub.revocations.Since(p.came, user) {
		if why, ok := why.(*CloseError); ok { //nolint:errorlint // it is never wrapped
			return p.hub.refusal(&failure{close: why, cause: &cause{text: why.Error(), err: why}}, http.StatusUnauthorized, "unauthorized")
		}
	}
	return nil
}

// arrived ends the period that revoked covers.
func (p *post) arrived() {
	if p.arriving {
		p.arriving = false
		p.hub.revocations.Done(p.came)
	}
}

func (p *post) publish(data []byte) {
	c := p.conn
	v, q := (*v1Client)(c), &p.query
	pub := &Publication{
		Room: q.room, Data: data, IdempotencyKey: q.key, Tags: q.tags, Trace: q.trace, NoEcho: q.noEcho,
	}
	switch {
	case !protocol.Valid(data):
		p.fail(badRequest("the body is not one JSON value"))
		return
	case q.key != "" && q.session == "" && c.Identity().User == "":
		p.fail(badRequest("an anonymous client's Idempotency-Key needs a session"))
		return
	}
	if refused := v.allowed("OnPublish", q.room, v.askToPublish(pub)); refused != nil {
		p.fail(&postFault{Error: *refused, room: q.room})
		return
	}
	res, failed := v.store(pub)
	if failed != nil {
		p.fail(&postFault{Error: *failed, room: q.room})
		return
	}
	p.answer(http.StatusOK, func(dst []byte) []byte {
		return protocol.AppendOK(dst, protocol.OK{Room: q.room, Epoch: res.Position.Epoch, Offset: res.Position.Offset})
	})
}

func (p *post) call(payer string, data []byte) {
	c, h, name := p.conn, p.hub, p.query.method
	m, ok := h.handlers.set.Load().methods[name]
	switch {
	case !ok:
		p.fail(&postFault{Error: Error{Code: protocol.CodeUnknownMethod, Message: "no such method"}})
		return
	case len(data) == 0:
		data = nil
	case !protocol.Valid(data):
		p.fail(badRequest("the body is not one JSON value"))
		return
	}
	var out []byte
	var failed *failure
	run := func() { out, failed = (*v1Client)(c).run(m.fn, name, data) }
	if !m.heavy {
		run()
	} else if fault := p.inPool(payer, run); fault != nil {
		p.fail(fault)
		return
	}
	if failed != nil {
		p.fail(&postFault{Error: *(*v1Client)(c).handlerError(name, failed)})
		return
	}
	p.answer(http.StatusOK, func(dst []byte) []byte { return protocol.AppendOK(dst, protocol.OK{Data: out}) })
}

// inPool runs f on the worker pool, in the payer's turn. If it returns a fault, f may still run.
func (p *post) inPool(payer string, f func()) *postFault {
	h, c := p.hub, p.conn
	(*v1Client)(c).takeUp((*v1Client)(c).putOff())
	const notConns = 1 << 63 // connections have smaller numbers
	key := maphash.String(h.posting.seed, payer) | notConns
	err := h.pool.Do(c.Context(), key, func(context.Context) error {
		h.life.Enter() // the pool may be the application's
		defer h.life.Leave()
		f()
		return nil
	})
	_, crashed := errors.AsType[*workerpool.PanicError](err)
	switch {
	case err == nil:
		return nil
	case crashed: // the handler has ended its goroutine
		return &postFault{Error: Error{Code: protocol.CodeInternal, Message: "the handler failed"}}
	case c.Context().Err() != nil:
		return &postFault{Error: Error{Code: protocol.CodeUnavailable, Message: "the request has ended"}}
	}
	return &postFault{Error: *busyError(err)}
}

// nowhere is the net.Conn of a Conn without a socket.
type nowhere struct{ remote net.Addr }

func (nowhere) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (nowhere) Write([]byte) (int, error)        { return 0, net.ErrClosed }
func (nowhere) Close() error                     { return nil }
func (n nowhere) LocalAddr() net.Addr            { return n.remote }
func (n nowhere) RemoteAddr() net.Addr           { return n.remote }
func (nowhere) SetDeadline(time.Time) error      { return net.ErrClosed }
func (nowhere) SetReadDeadline(time.Time) error  { return net.ErrClosed }
func (nowhere) SetWriteDeadline(time.Time) error { return net.ErrClosed }

// peerOf is the peer address of a request's socket.
func peerOf(r *http.Request) net.Addr {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local != nil && local.Network() == "unix" {
		return &net.UnixAddr{Name: r.RemoteAddr, Net: "unix"}
	}
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	return net.TCPAddrFromAddrPort(addr)
}
