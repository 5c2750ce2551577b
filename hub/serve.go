package hub

import (
	"net"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
	"github.com/gohubkit/hubkit/protocol"
)

// ServeHTTP answers a WebSocket handshake and returns once the connection is open; from then on it belongs
// to the hub, and neither the request nor its context is kept.
//
// The steps that may refuse a handshake are methods of their own, so that little of the stack is in use where it is
// answered: see decoder.Pool.Upgrade.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	came := h.revocations.Arrive()
	stands := false
	defer func() {
		if !stands { // else teardown gives the ticket back
			c.ticket.Done()
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
	d, err := h.decoders.Upgrade(&h.upgrader, w, oneProtocolLine(r), h.answerHeader(w, r, c), h.conf.compress, (*handshake)(c).attach)
	if err != nil {
		h.stats.refused.Add(1)
		(*handshake)(c).upgradeFailed(w, r, err)
		return
	}
	(*handshake)(c).agreed(d)
	stands = true
	h.life.Enter() // until teardown
	(*handshake)(c).came()
	h.conns.Add(c)
	ok := c.register()
	(*greeting)(c).enlist(came)
	h.revocations.Done(came)
	if ok {
		(*greeting)(c).begin(d)
	}
}

// handshake is a Conn whose handshake is under way: nobody else knows the connection.
type handshake Conn

// agreed notes what a handshake has agreed on.
func (hs *handshake) agreed(d *decoder.Decoder) {
	c := (*Conn)(hs)
	h := c.hub
	h.stats.accepted.Add(1)
	c.ticket.Established()
	c.deflate = d.Compressed()
	if c.deflate {
		c.writer.Deflate()
	}
	switch {
	case h.conf.raw:
		c.kind = raw
	case d.Subprotocol() == protocol.Subprotocol:
		c.kind, c.hello = v1, true
	}
	c.opened()
}

// attach gives the connection its socket, before anything is written to it.
func (hs *handshake) attach(conn net.Conn) decoder.Owner {
	c := (*Conn)(hs)
	h := c.hub
	c.conn = conn
	fd, ok := netpoll.Descriptor(conn)
	c.watched = ok && h.poller != nil
	if h.conf.heartbeat.Enabled() {
		leaveAlone(conn)
	}
	c.writer.Init(&h.wire, (*endpoint)(c), conn, fd)
	return (*endpoint)(c)
}

// leaveAlone ends the kernel's keepalive probes, which Go's listeners switch on: one for every 15 s of silence is more
// than the heartbeat sends, which finds out the same and more.
func leaveAlone(conn net.Conn) {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = c.NetConn()
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetKeepAlive(false) // it may be closed already
	}
}

// greeting is a Conn between its handshake and its first request: who it is, its welcome, and whether OnConnect takes it.
type greeting Conn

// begin starts a connection whose handshake is done. It owns d.
func (g *greeting) begin(d *decoder.Decoder) {
	c := (*Conn)(g)
	h := c.hub
	defer g.attend(d) // even if OnConnect ends this goroutine
	(*grantee)(c).setEnd(nil)
	if !h.life.Serving() {
		// Shutdown came between the handshake and here, and may not have seen the connection.
		c.closeWith(h.restartMeanwhile())
	}
	if err := h.beats.Add((*pulse)(c)); err != nil {
		c.abort(err)
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
		c.closeWith(&CloseError{Code: protocol.CloseHelloExpected, Reason: "this hub wants a hello: offer subprotocol " + protocol.Subprotocol})
	default:
		g.welcome(0)
		h.readers.during(c, d, func() { g.connected() })
	}
}

// attend sees to it that what the client sends is read. It owns d.
func (g *greeting) attend(d *decoder.Decoder) {
	c := (*Conn)(g)
	h := c.hub
	if !c.watched || d.Early() { // what came with the handshake is read first, and the poller hears of the connection then
		h.life.RunFor((*endpoint)(c), func() { h.readers.read(c, d) })
		return
	}
	if err := h.decoders.Put(d); err != nil {
		c.abort(err)
		return
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
	// A client that has seen its welcome is greeted for everybody who asks for its user's connections.
	c.hub.users.With(c.Identity().User, func() {
		_ = c.writer.SendOne(*buf) // an error means that the connection is gone
		c.marks.set(greetedMark)
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
	return frame.Encode(dst, frame.Text, func(dst []byte) []byte { return protocol.AppendWelcome(dst, w) })
}

// tellState tells the client that the broker was lost, or is back, unless it knows. The welcome comes first.
func (g *greeting) tellState() {
	c := (*Conn)(g)
	if !c.marks.has(greetedMark) {
		return // welcome will see to it
	}
	h := c.hub
	h.telling.Lock()
	defer h.telling.Unlock()
	stale := h.stats.stale.Load()
	if c.toldStale == stale {
		return
	}
	c.toldStale = stale
	encode := protocol.AppendLive
	if stale {
		encode = protocol.AppendStale
	}
	c.send(encode)
}

// connected asks the application whether it takes the connection. It reports whether it did.
func (g *greeting) connected() bool {
	c := (*Conn)(g)
	if c.state.at() >= closing {
		return false
	}
	h := c.hub
	if f := h.handlers.set.Load().connect; f != nil {
		if !g.taken("OnConnect", protocol.CloseForbidden, func() error { return f(c.Context(), c) }) {
			return false
		}
	}
	ok, why := c.accept()
	if !ok { // it ended while OnConnect ran
		(*ending)(c).tellDisconnected(why)
	}
	return ok
}

// taken asks a callback whether it takes the connection, and closes it if it does not, or ends this goroutine.
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
