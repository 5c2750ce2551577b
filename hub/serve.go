package hub

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

func (h *Hub) newUpgrader() websocket.Upgrader {
	u := websocket.Upgrader{
		Subprotocols: h.conf.subprotocols,
		CheckOrigin:  func(*http.Request) bool { return true }, // ServeHTTP has asked
	}
	if !h.conf.raw {
		u.Subprotocols = []string{protocol.Subprotocol}
	}
	decoder.Configure(&u)
	return u
}

// ServeHTTP answers a WebSocket handshake and returns once the connection stands; from then on it belongs
// to the hub, and neither the request nor its context is kept.
//
// The steps that may refuse a handshake are methods of their own, so that little of the stack is in use where it is
// answered: see decoder.Pool.Upgrade.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.life.enter()
	defer h.life.leave()
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
	c.noteAddr(r)
	if !h.admits(w, r, c) {
		return
	}
	d, err := h.decoders.Upgrade(&h.upgrader, w, oneProtocolLine(r), h.answerHeader(w, r, c), h.conf.compress, c.attach)
	if err != nil {
		h.stats.refused.Add(1)
		c.upgradeFailed(w, r, err)
		return
	}
	c.shaken(d)
	stands = true
	h.life.enter() // until teardown
	c.born()
	h.conns.Add(c)
	ok := c.stand()
	c.enlist(came)
	h.revocations.Done(came)
	if ok {
		c.begin(d)
	}
}

// fits answers a request that is no handshake, or comes from a page that may not ask.
func (h *Hub) fits(w http.ResponseWriter, r *http.Request) bool {
	ended := true
	defer func() {
		if ended {
			h.refuseAtEnd(w, r)
		}
	}()
	err := h.unfit(w, r)
	ended = false
	if err != nil {
		h.refuse(w, r, err)
	}
	return err == nil
}

// unfit says why a request is no handshake that the hub would take from anybody.
func (h *Hub) unfit(w http.ResponseWriter, r *http.Request) *HTTPError {
	switch {
	case !h.life.serving():
		return h.refusedMeanwhile()
	case !websocket.IsWebSocketUpgrade(r):
		if r.ProtoMajor < 2 { // HTTP/2 has neither, and a client fails a response with one
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "Upgrade")
		}
		return &HTTPError{Status: http.StatusUpgradeRequired, Message: "this is a WebSocket endpoint"}
	case !r.ProtoAtLeast(1, 1), len(r.Header["Sec-Websocket-Key"]) > 1, len(r.Header["Sec-Websocket-Version"]) > 1:
		return &HTTPError{Status: http.StatusBadRequest, Message: "not a WebSocket handshake: it needs HTTP/1.1, one key and one version"}
	}
	return h.checkOrigin(r)
}

// answerHeader is what the answer to a handshake says beyond the handshake: what middleware before the hub has set,
// OnHandshake's part, and the node's name. Nobody writes to it.
func (h *Hub) answerHeader(w http.ResponseWriter, r *http.Request, c *Conn) http.Header {
	named, set := http.Header(nil), w.Header()
	if c != nil {
		named = h.nameNode(r)
	}
	if len(set) == 0 {
		return named
	}
	all := make(http.Header, len(set)+len(named))
	for _, from := range []http.Header{set, named} {
		for k, v := range from {
			if k == "Set-Cookie" || isToken(k) && !handshakes(k) {
				all[k] = append(all[k], v...)
			}
		}
	}
	return all
}

// admits asks the application about a handshake, and answers it where it is refused.
func (h *Hub) admits(w http.ResponseWriter, r *http.Request, c *Conn) bool {
	ended := true
	defer func() {
		if ended {
			h.refuseAtEnd(w, r)
		}
	}()
	err := h.admit(r, c)
	ended = false
	c.takeAnswer(w)
	if err != nil {
		h.log.Info("handshake refused", "remote", r.RemoteAddr, "status", err.Status, "err", err.Err)
		h.refuse(w, r, err)
	}
	return err == nil
}

func (c *Conn) upgradeFailed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, http.ErrNotSupported) {
		c.hub.cannotHijack(w, err)
	}
	c.hub.log.Debug("handshake failed", "remote", r.RemoteAddr, "err", err)
	if c.conn != nil {
		c.writer.Close()
	}
}

// ResponseHeader is added to the answer to the handshake, a refusal included: OnHandshake may set headers and cookies.
// Headers of the handshake itself are left out. Afterwards it has no effect.
func (c *Conn) ResponseHeader() http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more()
	if m.answer == nil {
		m.answer = make(http.Header)
	}
	return m.answer
}

// takeAnswer moves what OnHandshake has set to the response.
func (c *Conn) takeAnswer(w http.ResponseWriter) {
	c.mu.Lock()
	if c.extra == nil {
		c.mu.Unlock()
		return
	}
	answer := c.extra.answer
	c.extra.answer = nil
	c.trim()
	c.mu.Unlock()
	for k, v := range answer {
		w.Header()[k] = append(w.Header()[k], v...)
	}
}

// shaken notes what a handshake has agreed on.
func (c *Conn) shaken(d *decoder.Decoder) {
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
			return id.validate()
		})
		if failed != nil {
			return refusal("authenticator", failed, http.StatusUnauthorized, "unauthorized")
		}
		if id.User != "" || id.Info != nil {
			c.identity.Store(&id)
		}
	}
	if f := h.handlers.set.Load().handshake; f != nil {
		if failed := c.guard("OnHandshake", func() error { return f(r, c) }); failed != nil {
			return refusal("OnHandshake", failed, http.StatusForbidden, "forbidden")
		}
	}
	return nil
}

// oneProtocolLine returns a request whose subprotocols are on one line, which is all that gorilla reads of them.
func oneProtocolLine(r *http.Request) *http.Request {
	const key = "Sec-Websocket-Protocol"
	lines := r.Header[key]
	if len(lines) < 2 {
		return r
	}
	one := *r
	one.Header = maps.Clone(r.Header)
	one.Header[key] = []string{strings.Join(lines, ",")}
	return &one
}

// attach gives the connection its socket, before anything is written to it.
func (c *Conn) attach(conn net.Conn) decoder.Link {
	h := c.hub
	c.conn = conn
	fd, watched := -1, false
	if h.poller != nil {
		fd, watched = netpoll.Descriptor(conn)
	}
	c.watched = watched
	if h.conf.heartbeat.Enabled() {
		leaveAlone(conn)
	}
	c.writer.Init(&h.wire, (*link)(c), conn, fd)
	return (*link)(c)
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

// begin starts a connection whose handshake is done. It owns d.
func (c *Conn) begin(d *decoder.Decoder) {
	h := c.hub
	defer c.attend(d) // even if OnConnect ends this goroutine
	if !h.life.serving() {
		// Shutdown came between the handshake and here, and may not have seen the connection.
		c.shut(h.restartMeanwhile())
	}
	if err := h.beats.Add((*pulse)(c)); err != nil {
		c.drop(err)
		return
	}
	switch {
	case c.kind == v1:
		c.mu.Lock()
		if m := c.more(); m.cause == nil {
			m.helloBy = h.now() + h.conf.handshakeTimeout
			m.timer = time.AfterFunc(h.conf.handshakeTimeout, func() {
				c.shut(&CloseError{Code: protocol.CloseHelloTimeout, Reason: "no hello"})
			})
		}
		c.mu.Unlock()
	case h.conf.verifyToken != nil:
		c.shut(&CloseError{Code: protocol.CloseHelloExpected, Reason: "this hub wants a hello: offer subprotocol " + protocol.Subprotocol})
	default:
		c.welcome(0)
		c.during(d, func() { c.connected() })
	}
}

// attend sees to it that what the client sends is read. It owns d.
func (c *Conn) attend(d *decoder.Decoder) {
	h := c.hub
	if !c.watched || d.Early() { // what came with the handshake is read first, and the poller hears of the connection then
		h.life.run(func() { c.read(d) })
		return
	}
	if err := h.decoders.Put(d); err != nil {
		c.drop(err)
		return
	}
	if err := c.writer.Use(func(fd int) error { return h.poller.Add(fd, c.entry.Token()) }); err != nil {
		c.drop(err)
	}
}

// welcome sends the first frame of protocol v1. id is that of the hello.
func (c *Conn) welcome(id uint64) {
	if c.kind == raw {
		return
	}
	w := protocol.Welcome{ID: id, Conn: c.ID(), Node: c.hub.node, Session: c.Session(), Ticket: c.hub.tickets.issue()}
	w.Limits = c.hub.limits
	if p := c.hub.conf.heartbeat; p.Enabled() {
		w.Ping = p.Interval
	}
	// A client that has seen its welcome is greeted for everybody who asks for its user's connections.
	c.hub.users.With(c.Identity().User, func() {
		c.send(func(dst []byte) []byte { return protocol.AppendWelcome(dst, w) })
		c.marks.set(greetedMark)
	})
	if c.hub.stats.stale.Load() {
		c.tellState()
	}
}

// tellState tells the client that the broker was lost, or is back, unless it knows. The welcome comes first.
func (c *Conn) tellState() {
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
func (c *Conn) connected() bool {
	if c.closing.Load() || c.gone.Load() {
		return false
	}
	h := c.hub
	if f := h.handlers.set.Load().connect; f != nil {
		if !c.taken("OnConnect", protocol.CloseForbidden, func() error { return f(c.Context(), c) }) {
			return false
		}
	}
	c.mu.Lock()
	c.welcomed = true
	gone, why := c.departed, error(nil)
	if gone && c.extra != nil {
		why = c.extra.cause
	}
	c.mu.Unlock()
	if gone { // while OnConnect ran, which left it to us to say so
		c.disconnected(why)
	}
	return !gone
}

// taken asks a callback whether it takes the connection, and closes it if it does not, or ends this goroutine.
func (c *Conn) taken(what string, code protocol.CloseCode, ask func() error) bool {
	h := c.hub
	failed := crash // see guard
	defer func() {
		if failed != nil {
			h.report(what, c, failed, c.Context().Err() != nil)
			c.shut(h.closeFor(failed, code))
		}
	}()
	failed = c.guard(what, ask)
	if failed != nil && failed.verdict() {
		h.log.Info("connection refused", append(about(what, c), "err", failed.cause.text)...)
	}
	return failed == nil
}

// refuseAtEnd answers a request whose goroutine a callback has ended. Package http sends nothing more of it.
func (h *Hub) refuseAtEnd(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	h.refuse(w, r, h.refusal(crash, 0, ""))
	_ = http.NewResponseController(w).Flush() // the client hears nothing then
}

// refuse answers a request that does not become a connection.
func (h *Hub) refuse(w http.ResponseWriter, r *http.Request, e *HTTPError) {
	h.stats.refused.Add(1)
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	http.Error(w, e.Message, e.Status)
}

func (id *Identity) validate() error {
	if id.Info != nil && !protocol.Valid(id.Info) {
		return errors.New("hub: Identity.Info is not valid JSON")
	}
	return nil
}

// identify takes the hello's token, by a time on the hub's clock. It reports whether the connection may go on. What it asks
// is a handshake under way, as what the authenticator asks is.
func (c *Conn) identify(by time.Duration, token string) bool {
	h := c.hub
	f := h.conf.verifyToken
	if f == nil {
		return true
	}
	if why := c.ticket.Verify(); why != nil {
		h.refusals.note(h, c.ClientAddr(), why)
		c.shut(tryAgain(why))
		return false
	}
	defer c.ticket.Established()
	ctx, cancel := context.WithDeadline(c.Context(), h.start.Add(by))
	defer cancel()
	came := c.hub.revocations.Arrive()
	defer c.hub.revocations.Done(came)
	var id Identity
	ok := c.taken("token verifier", protocol.CloseUnauthorized, func() (err error) {
		if id, err = f(ctx, token); err != nil {
			return err
		}
		return id.validate()
	})
	if ok {
		c.become(id, came)
	}
	return ok
}
