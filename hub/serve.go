package hub

import (
	"net"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/registry"
	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/fdconn"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
	"github.com/gohubkit/hubkit/protocol"
)

// ServeHTTP answers a WebSocket handshake and returns when the connection is open. From then on the hub owns the
// connection, and keeps neither the request nor its context. On Linux it keeps the socket alone of a *net.TCPConn, and closes that,
// unless ConnContext of the http.Server or middleware with a Hijack of its own may have kept it. It answers a refused
// handshake with an HTTP status; RefusalReason lists the reasons.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The steps that may refuse a handshake are methods of their own, so that little of the stack is in use when it is answered:
	// see decoder.Pool.Upgrade.
	if h.conf.tracer != nil && h.traced(SpanHandshake, w, r, h.ServeHTTP) {
		return
	}
	h.life.Enter()
	defer h.life.Leave()
	if !h.fits(w, r) {
		return
	}
	ticket, refusal := h.gate.Arrive(r, h.resumes(r))
	if refusal != nil {
		h.turnAway(w, r, refusal)
		return
	}
	c := h.newConn()
	c.ticket = ticket
	h.stats.handshaking.Add(1)
	came := h.revocations.Arrive()
	stands := false
	defer func() {
		if !stands { // else teardown gives the ticket back
			h.stats.handshaking.Add(-1)
			c.ticket.Done(h.gate)
			h.revocations.Done(came)
		}
	}()
	(*handshake)(c).noteAddr(r)
	if !h.admits(w, r, c) {
		return
	}
	if h.asksWhy(r) {
		h.wouldAccept(w, r)
		return
	}
	d, agreement, err := (*handshake)(c).upgrade(w, r, h.answerHeader(w, r, c))
	if err != nil {
		h.stats.refused[RefusedUpgrade].Add(1)
		(*handshake)(c).upgradeFailed(w, r, err)
		return
	}
	(*handshake)(c).agreed(agreement)
	h.stats.handshaking.Add(-1)
	stands = true
	if (*handshake)(c).enter(came) {
		(*greeting)(c).begin(d)
	}
}

// handshake is a Conn whose handshake is under way: no other goroutine knows the connection.
type handshake Conn

// enter publishes a connection whose handshake has been answered. It reports whether the connection may begin.
func (hs *handshake) enter(came registry.Arrival) bool {
	c := (*Conn)(hs)
	h := c.hub
	h.life.Enter() // until teardown
	hs.came()
	h.conns.Add(c)
	ok := c.register()
	(*greeting)(c).enlist(came)
	h.revocations.Done(came)
	return ok
}

// upgrade answers the handshake. The Decoder is the first that reads the client's messages. It is nil if nothing has
// come with the handshake; then one is taken when something comes.
func (hs *handshake) upgrade(w http.ResponseWriter, r *http.Request, header http.Header) (*decoder.Decoder, decoder.Agreement, error) {
	h := hs.hub
	one := oneProtocolLine(r)
	own := func(conn net.Conn) decoder.Owner { return hs.attach(conn, false) }
	if d, a, ok, err := h.decoders.UpgradeRaw(&h.upgrader, w, one, header, h.conf.compress, own); ok {
		return d, a, err
	}
	others := func(conn net.Conn) decoder.Owner { return hs.attach(conn, h.mayAdopt(w, r)) }
	d, err := h.decoders.Upgrade(&h.upgrader, w, one, header, h.conf.compress, others)
	if err != nil {
		return nil, decoder.Agreement{}, err
	}
	return d, decoder.Agreement{Subprotocol: d.Subprotocol(), Compressed: d.Compressed()}, nil
}

// agreed notes what a handshake has agreed on.
func (hs *handshake) agreed(a decoder.Agreement) {
	c := (*Conn)(hs)
	h := c.hub
	h.stats.accepted.Add(1)
	c.ticket.Established(h.gate)
	if a.Compressed {
		c.state.set(deflateMark)
		c.writer.Deflate()
	}
	form := codec.FormJSON
	switch {
	case h.conf.raw:
		c.kind, form = raw, codec.FormRaw
	case a.Subprotocol == protocol.SubprotocolCBOR:
		c.kind, form = v1, codec.FormCBOR
		c.state.set(helloMark)
	case a.Subprotocol == protocol.Subprotocol:
		c.kind = v1
		c.state.set(helloMark)
	}
	c.writer.Speak(form)
	c.opened()
}

// attach gives the connection its socket, before anything is written to it. With adopt the hub closes conn and keeps its socket alone, if
// it can: see fdconn.Adopt.
func (hs *handshake) attach(conn net.Conn, adopt bool) decoder.Owner {
	c := (*Conn)(hs)
	h := c.hub
	if h.conf.heartbeat.Enabled() {
		leaveAlone(conn)
	} else {
		probe(conn)
	}
	if adopt {
		conn = fdconn.Adopt(conn)
	}
	fd, plain := netpoll.Descriptor(conn)
	if fd >= 0 && h.poller != nil {
		c.watched = byPollerSeal
		if plain {
			c.watched = byPoller
		}
	}
	c.writer.Init((*endpoint)(c), conn, fd, !plain)
	return (*endpoint)(c)
}

// leaveAlone ends the kernel's keepalive probes, which Go's listeners switch on. One for every 15 s of silence is more
// than the heartbeat sends, which notices the same and more.
func leaveAlone(conn net.Conn) {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = c.NetConn()
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetKeepAlive(false) // it may be closed already
	}
}

// probe makes the kernel probe a silent connection. Connections of package net's listeners are probed already.
func probe(conn net.Conn) {
	if _, tcp := conn.(*net.TCPConn); tcp {
		return
	}
	if c, ok := conn.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	}); ok {
		const every = 15 * time.Second                                                                      // package net's defaults
		_ = c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: every, Interval: every, Count: 9}) // it may be closed already
	}
}

// greeting is a Conn between its handshake and its first request: its identity, its welcome, and OnConnect.
type greeting Conn

// begin starts a connection whose handshake is done. It owns d, which may be nil.
func (g *greeting) begin(d *decoder.Decoder) {
	c := (*Conn)(g)
	h := c.hub
	defer g.attend(d) // even if OnConnect ends this goroutine
	if !g.start() {
		return
	}
	switch {
	case c.kind == v1:
		c.mu.Lock()
		if m := c.more(); m.cause == nil {
			m.helloBy = h.now() + h.conf.handshakeTimeout
			m.timer = time.AfterFunc(h.conf.handshakeTimeout, func() {
				c.closeWith(&CloseError{Code: protocol.CloseHelloTimeout, Reason: "no hello"})
			})
		}
		c.mu.Unlock()
	case h.conf.verifyToken != nil:
		c.closeWith(&CloseError{Code: protocol.CloseHelloExpected, Reason: "this hub needs a hello: offer the subprotocol " + protocol.Subprotocol})
	default:
		g.welcome(0)
		h.readers.during(c, d, func() { g.connected() })
	}
}

// start schedules the connection's end and its pings. It reports false if the connection has ended.
func (g *greeting) start() bool {
	c := (*Conn)(g)
	h := c.hub
	(*grantee)(c).setEnd(nil)
	if !h.life.Serving() {
		// Shutdown came between the handshake and here, and may not have seen the connection.
		c.closeWith(h.restartMeanwhile())
	}
	if err := h.beats.Add((*pulse)(c)); err != nil {
		c.abort(err)
		return false
	}
	return true
}

// attend makes the client's frames be read. It owns d, which may be nil.
func (g *greeting) attend(d *decoder.Decoder) {
	c := (*Conn)(g)
	h := c.hub
	if d == nil && c.watched != byPoller {
		d = h.decoders.Get((*endpoint)(c), c.state.has(deflateMark))
	}
	// Data that came with the handshake is read first, and then the poller gets the connection. TLS does not tell whether there is any.
	if c.watched != byPoller || d != nil && d.Early() {
		h.life.RunFor((*endpoint)(c), func() { h.readers.read(c, d) })
		return
	}
	if d != nil {
		if err := h.decoders.Put(d); err != nil {
			c.abort(err)
			return
		}
	}
	if err := c.writer.Use(func(fd int) error { return h.poller.Add(fd, c.entry.Token()) }); err != nil {
		c.abort(err)
	}
}

// welcome sends the first frame of protocol v1. id is that of the hello.
func (g *greeting) welcome(id uint64) {
	c := (*Conn)(g)
	if c.kind == raw {
		return
	}
	buf := scratch.Get().(*[]byte)
	*buf = c.appendWelcome((*buf)[:0], id)
	// Once a client has its welcome, every lookup of its user's connections finds it greeted. Other lookups call greeted.
	c.state.set(greetingMark)
	c.hub.users.With(c.Identity().User, func() {
		_ = c.writer.SendOne(*buf) // an error means that the connection is gone
		c.state.set(greetedMark)
	})
	if cap(*buf) <= keepScratch {
		scratch.Put(buf)
	}
	if c.hub.stats.stale.Load() {
		g.tellState()
	}
}

// appendWelcome appends the frame of a welcome. It is a function of its own for the reason that ServeHTTP gives.
//
//go:noinline
func (c *Conn) appendWelcome(dst []byte, id uint64) []byte {
	h := c.hub
	w := protocol.Welcome{ID: id, Conn: c.ID(), Node: h.node, Session: c.session(), Ticket: h.tickets.issue(), Limits: h.limits}
	w.Expires = (*grantee)(c).validFor()
	if p := h.conf.heartbeat; p.Enabled() {
		w.Ping = p.Interval
	}
	x := c.codec()
	return frame.Encode(dst, x.Form().Opcode(), func(dst []byte) []byte { return x.Welcome(dst, w) })
}

// tellState tells the client that the broker is lost or back, unless the client knows. The welcome comes first.
func (g *greeting) tellState() {
	c := (*Conn)(g)
	if !c.state.has(greetedMark) {
		return // welcome will see to it
	}
	h := c.hub
	h.telling.Lock()
	defer h.telling.Unlock()
	stale := h.stats.stale.Load()
	if c.state.has(toldStaleMark) == stale {
		return
	}
	c.state.put(toldStaleMark, stale) // guarded by telling
	c.send(func(dst []byte, x codec.Codec) []byte {
		if stale {
			return x.Stale(dst)
		}
		return x.Live(dst)
	})
}

// connected asks the application whether it accepts the connection, and reports its answer.
func (g *greeting) connected() bool {
	c := (*Conn)(g)
	if c.state.at() >= closing {
		return false
	}
	h := c.hub
	if f := h.handlers.set.Load().connect; f != nil {
		if !g.taken("OnConnect", protocol.CloseForbidden, func() error { return f(c.callbackContext(), c) }) {
			return false
		}
	}
	ok, why := c.accept()
	if !ok { // it ended while OnConnect ran
		(*ending)(c).tellDisconnected(why)
	}
	return ok
}

// taken asks a callback whether it accepts the connection. If the callback refuses, or ends this goroutine, taken
// closes the connection.
func (g *greeting) taken(what string, code protocol.CloseCode, ask func() error) bool {
	c := (*Conn)(g)
	h := c.hub
	failed := crash // see guard
	defer func() {
		if failed != nil {
			h.report(what, c, failed, c.Context().Err() != nil)
			c.closeWith(h.closeFor(failed, code))
		}
	}()
	failed = c.guard(what, ask)
	if failed != nil && failed.verdict() {
		h.log.Info("connection refused", append(about(what, c), "err", failed.cause.text)...)
	}
	return failed == nil
}
