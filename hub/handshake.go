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
		u.Subprotocols = []string{protocol.SubprotocolCBOR, protocol.Subprotocol} // the first that the client offers
	}
	decoder.Configure(&u)
	return u
}

// fits answers a request that is no handshake, or comes from a page that may not connect.
func (h *Hub) fits(w http.ResponseWriter, r *http.Request) bool {
	ended := true
	defer func() {
		if ended {
			h.refuseAtEnd(w, r)
		}
	}()
	err, why := h.unfit(w, r)
	ended = false
	if err != nil {
		h.refuse(w, r, why, err)
	}
	return err == nil
}

// unfit returns why a request is no handshake that the hub accepts from any client.
func (h *Hub) unfit(w http.ResponseWriter, r *http.Request) (*HTTPError, RefusalReason) {
	switch {
	case !h.life.Serving():
		return h.refusedMeanwhile(), RefusedDraining
	case h.asksWhy(r):
		if foreign(r) {
			return h.originRefused(r), RefusedOrigin
		}
		return h.checkOrigin(r), RefusedOrigin
	case !websocket.IsWebSocketUpgrade(r):
		if r.ProtoMajor < 2 { // HTTP/2 has neither, and a client fails a response with one
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "Upgrade")
		}
		return &HTTPError{Status: http.StatusUpgradeRequired, Message: "this is a WebSocket endpoint"}, RefusedRequest
	case !r.ProtoAtLeast(1, 1), len(r.Header["Sec-Websocket-Key"]) > 1, len(r.Header["Sec-Websocket-Version"]) > 1:
		return &HTTPError{Status: http.StatusBadRequest, Message: "not a WebSocket handshake: it needs HTTP/1.1, one key and one version"},
			RefusedRequest
	}
	return h.checkOrigin(r), RefusedOrigin
}

// answerHeader returns what the answer to a handshake has beyond the handshake: what middleware before the hub has set,
// the headers of OnHandshake, and the node's name. Nothing writes to it.
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
	if c.hub.conf.tracer != nil {
		noteRefused(r, http.StatusBadRequest, RefusedUpgrade.String(), err)
	}
	c.hub.log.Debug("handshake failed", "remote", r.RemoteAddr, "err", err)
	if c.writer.Conn() != nil {
		c.writer.Close()
	}
}

// ResponseHeader returns the headers that are added to the answer to the handshake, a refusal included. OnHandshake may
// set headers and cookies in it. The handshake's own headers are left out. After OnHandshake it has no effect.
func (c *Conn) ResponseHeader() http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more()
	if m.answer == nil {
		m.answer = make(http.Header)
	}
	return m.answer
}

// takeAnswer moves the headers of OnHandshake to the response.
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

// oneProtocolLine returns a request with all its subprotocols on one line. gorilla reads only one.
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

// refuseAtEnd answers a request whose goroutine a callback has ended. Package http sends nothing more for it.
func (h *Hub) refuseAtEnd(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	h.refuse(w, r, RefusedUnavailable, h.refusal(crash, 0, ""))
	_ = http.NewResponseController(w).Flush() // if it fails, the client gets no answer
}

// refuse answers a request that does not become a connection.
func (h *Hub) refuse(w http.ResponseWriter, r *http.Request, why RefusalReason, e *HTTPError) {
	h.refuseUntil(w, r, why, e, 0)
}

// wholeSeconds is a delay as Retry-After has it, rounded up.
func wholeSeconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// refuseUntil is refuse with a spread, for an answer that can carry a hint with one.
func (h *Hub) refuseUntil(w http.ResponseWriter, r *http.Request, why RefusalReason, e *HTTPError, spread time.Duration) {
	h.stats.refused[why].Add(1)
	if h.conf.tracer != nil {
		noteRefused(r, e.Status, why.String(), e.Err)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", wholeSeconds(e.RetryAfter))
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
