package hub

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

func (h *Hub) newUpgrader() websocket.Upgrader {
	u := websocket.Upgrader{
		EnableCompression: h.conf.compress,
		Subprotocols:      h.conf.subprotocols,
		CheckOrigin:       func(*http.Request) bool { return true }, // ServeHTTP has asked
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
	if err := h.unfit(w, r); err != nil {
		h.refuse(w, r, err)
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
	d, err := h.decoders.Upgrade(&h.upgrader, w, r, h.nameNode(r), c.attach)
	if err != nil {
		h.stats.refused.Add(1)
		c.upgradeFailed(r, err)
		return
	}
	c.shaken(r, d)
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

// unfit says why a request is no handshake that the hub would take from anybody.
func (h *Hub) unfit(w http.ResponseWriter, r *http.Request) *HTTPError {
	switch {
	case !h.life.serving():
		return h.refusedMeanwhile()
	case !websocket.IsWebSocketUpgrade(r):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		return &HTTPError{Status: http.StatusUpgradeRequired, Message: "this is a WebSocket endpoint"}
	case !h.allowOrigin(r):
		return &HTTPError{Status: http.StatusForbidden, Message: "origin not allowed"}
	}
	return nil
}

// admits asks the application about a handshake, and answers it where it is refused.
func (h *Hub) admits(w http.ResponseWriter, r *http.Request, c *Conn) bool {
	err := h.admit(r, c)
	if err != nil {
		h.log.Info("handshake refused", "remote", r.RemoteAddr, "status", err.Status, "err", err.Err)
		h.refuse(w, r, err)
	}
	return err == nil
}

func (c *Conn) upgradeFailed(r *http.Request, err error) {
	c.hub.log.Debug("handshake failed", "remote", r.RemoteAddr, "err", err)
	if c.conn != nil {
		c.writer.Close()
	}
}

// shaken notes what a handshake has agreed on.
func (c *Conn) shaken(r *http.Request, d *decoder.Decoder) {
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
	case asksFor(r, protocol.Subprotocol):
		c.kind, c.hello = v1, true
	}
}

// admit asks the application about a handshake.
func (h *Hub) admit(r *http.Request, c *Conn) *HTTPError {
	refusal := func(err error, status int, message string) *HTTPError {
		e := &HTTPError{Status: status, Message: message}
		if isPanic(err) {
			e.Status, e.Message = http.StatusInternalServerError, "internal error"
		}
		errors.As(err, &e)
		return &HTTPError{Status: e.Status, Message: e.Message, RetryAfter: e.RetryAfter, Err: err}
	}
	if f := h.conf.authenticate; f != nil {
		var id Identity
		err := c.safely("authenticator", func() (err error) {
			id, err = f(r)
			return err
		})
		if err == nil {
			err = id.validate()
		}
		if err != nil {
			return refusal(err, http.StatusUnauthorized, "unauthorized")
		}
		if id.User != "" || id.Info != nil {
			c.identity.Store(&id)
		}
	}
	if f := h.handlers.set.Load().handshake; f != nil {
		if err := c.safely("OnHandshake", func() error { return f(r, c) }); err != nil {
			return refusal(err, http.StatusForbidden, "forbidden")
		}
	}
	return nil
}

func asksFor(r *http.Request, subprotocol string) bool {
	return slices.Contains(websocket.Subprotocols(r), subprotocol)
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
		c.connected()
	}
	if !c.watched {
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
	if p := c.hub.conf.heartbeat; p.Enabled() {
		w.Ping = p.Interval
	}
	// A client that has seen its welcome is greeted for everybody who asks for its user's connections.
	c.hub.users.With(c.Identity().User, func() {
		c.send(func(dst []byte) []byte { return protocol.AppendWelcome(dst, w) })
		c.greeted.Store(true)
	})
	if c.hub.stats.stale.Load() {
		c.tellState()
	}
}

// tellState tells the client that the broker was lost, or is back, unless it knows. The welcome comes first.
func (c *Conn) tellState() {
	if !c.greeted.Load() {
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
		err := c.safely("OnConnect", func() error { return f(c.Context(), c) })
		if err != nil {
			c.shut(h.closeFor(err, protocol.CloseForbidden))
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

// closeFor is how a connection ends because of err.
func (h *Hub) closeFor(err error, code protocol.CloseCode) *CloseError {
	if ce, ok := errors.AsType[*CloseError](err); ok {
		return ce
	}
	if isPanic(err) {
		return &CloseError{Code: protocol.CloseHandlerPanic, Err: err}
	}
	if errors.Is(err, broker.ErrUnavailable) {
		// That is no verdict on the client: it is to come back.
		return h.unavailable(err)
	}
	return &CloseError{Code: code, Err: err}
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

// allowOrigin is the same-origin rule: a browser says which page it runs, and that page must come from
// the host the request goes to, or from one of WithOrigins. Other clients send no Origin.
func (h *Hub) allowOrigin(r *http.Request) bool {
	if f := h.conf.checkOrigin; f != nil {
		return f(r)
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Host)
	if host != "" && strings.EqualFold(host, r.Host) {
		return true
	}
	for _, allowed := range h.conf.origins {
		if allowed == "*" || host != "" && matchPattern(strings.ToLower(allowed), host) {
			return true
		}
	}
	return false
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
	err := c.safely("token verifier", func() error {
		id, err := f(ctx, token)
		if err == nil {
			err = id.validate()
		}
		if err == nil {
			c.become(id, came)
		}
		return err
	})
	if err != nil {
		h.log.Info("token refused", "conn", c.ID(), "err", err)
		why := h.closeFor(err, protocol.CloseUnauthorized)
		if why.Code == protocol.CloseUnauthorized && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			why = h.unavailable(err) // the verifier was too slow, which is no verdict on the token
		}
		c.shut(why)
		return false
	}
	return true
}
