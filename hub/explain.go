package hub

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/protocol"
)

// A browser shows a page nothing of a refused handshake. The page may ask for the reason with a request that is no handshake, and is
// answered in JSON with what a handshake would be answered with.

// asksWhy reports whether a request asks how a handshake would be answered. Handshakes do not, whatever their query says.
func (h *Hub) asksWhy(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, protocol.ExplainParam) && r.Method == http.MethodGet && !h.conf.raw &&
		!websocket.IsWebSocketUpgrade(r) && r.URL.Query().Get(protocol.ExplainParam) == "1"
}

// foreign reports whether a browser says that the page which asks is of another origin, without saying of which one. The answer
// could not be read there, so the application is not asked.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("Origin") == "" && site != "" && site != "same-origin" && site != "none"
}

// explanation is the answer. Its fields are those of a hint, and the close code that says the same to a client.
type explanation struct {
	Status     int                `json:"status"`
	CloseCode  protocol.CloseCode `json:"close_code"`
	Reason     string             `json:"reason"`
	RetryAfter int64              `json:"retry_after_ms,omitempty"`
	Spread     int64              `json:"spread_ms,omitempty"`
}

// explain answers with the status that a handshake would get.
func (h *Hub) explain(w http.ResponseWriter, r *http.Request, e *HTTPError, spread time.Duration) {
	if spread == 0 && e.RetryAfter > 0 {
		spread = max(e.RetryAfter/2, time.Second) // as after a Retry-After
	}
	status := e.Status
	if status < 400 {
		status = http.StatusOK
	}
	body, err := json.Marshal(explanation{
		Status: e.Status, CloseCode: closeCodeFor(e.Status), Reason: e.Message,
		RetryAfter: milliseconds(e.RetryAfter), Spread: milliseconds(spread),
	})
	if err != nil {
		panic(err) // the fields are numbers and a string
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" && h.checkOrigin(r) == nil {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true") // the handshake has them too
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // who asks may be gone
}

// wouldAccept is the answer if the handshake would be accepted: what refuses it is between the page and the hub.
func (h *Hub) wouldAccept(w http.ResponseWriter, r *http.Request) {
	h.explain(w, r, &HTTPError{Status: http.StatusSwitchingProtocols, Message: "the server would accept the connection"}, 0)
}

func milliseconds(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

// closeCodeFor is the close code by which a client does what it does after a refused handshake of this status.
func closeCodeFor(status int) protocol.CloseCode {
	switch {
	case status < 400:
		return protocol.CloseAbnormal
	case status == http.StatusUnauthorized:
		return protocol.CloseUnauthorized
	case status == http.StatusForbidden:
		return protocol.CloseForbidden
	}
	return protocol.CloseTryAgainLater
}
