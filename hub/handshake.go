package hub

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/decoder"
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
	case !h.life.Serving():
		return h.refusedMeanwhile()
	case h.asksWhy(r):
		if foreign(r) {
			return h.originRefused(r)
		}
		return h.checkOrigin(r)
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
			switch {
			case k == "Set-Cookie":
				all[k] = append(all[k], v...)
			case isToken(k) && !handshakes(k):
				all[k] = v
			}
		}
	}
	return all
}

func (hs *handshake) upgradeFailed(w http.ResponseWriter, r *http.Request, err error) {
	c := (*Conn)(hs)
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
func (hs *handshake) takeAnswer(w http.ResponseWriter) {
	c := (*Conn)(hs)
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

// refuseAtEnd answers a request whose goroutine a callback has ended. Package http sends nothing more of it.
func (h *Hub) refuseAtEnd(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	h.refuse(w, r, h.refusal(crash, 0, ""))
	_ = http.NewResponseController(w).Flush() // the client hears nothing then
}

// refuse answers a request that does not become a connection.
func (h *Hub) refuse(w http.ResponseWriter, r *http.Request, e *HTTPError) { h.refuseUntil(w, r, e, 0) }

// refuseUntil is refuse with a spread of the hint, for an answer that has one.
func (h *Hub) refuseUntil(w http.ResponseWriter, r *http.Request, e *HTTPError, spread time.Duration) {
	h.stats.refused.Add(1)
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	if h.asksWhy(r) {
		h.explain(w, r, e, spread)
		return
	}
	http.Error(w, e.Message, e.Status)
}
