package hub

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/protocol"
)

// A browser hides from a page why a handshake was refused. The page may ask with a plain request, and gets in JSON the answer
// that a handshake would get.

// asksWhy reports whether a request asks how a handshake would be answered. A handshake itself never asks, whatever its
// query says.
func (h *Hub) asksWhy(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, protocol.ExplainParam) && r.Method == http.MethodGet && !h.conf.raw &&
		!websocket.IsWebSocketUpgrade(r) && r.URL.Query().Get(protocol.ExplainParam) == "1"
}

// foreign reports whether the browser says that the asking page is of another origin, but not of which. The page could
// not read the answer, so the application is not asked.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("Origin") == "" && site != "" && site != "same-origin" && site != "none"
}

// explanation is the answer. It has the fields of a hint, and the close code with the same meaning for a client.
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
	_, _ = w.Write(body) // the client may be gone
}

// wouldAccept is the answer if the hub would accept the handshake. Then something between the page and the hub refuses
// it.
func (h *Hub) wouldAccept(w http.ResponseWriter, r *http.Request) {
	h.explain(w, r, &HTTPError{Status: http.StatusSwitchingProtocols, Message: "the server would accept the connection"}, 0)
}

func milliseconds(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

// closeCodeFor returns the close code that makes a client do the same as a refused handshake of this status does.
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
