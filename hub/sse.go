package hub

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
	"github.com/gohubkit/hubkit/protocol"
)

// SSE returns a handler by which clients that only read follow rooms. It answers a GET with Server-Sent Events, for the
// EventSource of browsers, for curl, and for networks that block WebSocket. Such clients publish and call by Post. The
// query names the rooms, as in room=a&room=b. PROTOCOL.md has all parameters and events.
//
// A stream is a connection like any other, with a Conn. Stats counts it, presence lists it, and Disconnect and
// RemoveFromRoom apply to it. It passes the rules of origins, the bounds of admission, WithAuthenticator, OnHandshake,
// WithTokenVerifier, OnConnect and, for each room, OnJoin. Each room counts as a message of WithRateLimit.
// WithCompression compresses streams with gzip, at its fastest level. WithMaxIdle does not end them.
//
// Every event of a room with history has an ID that states the client's position in all such rooms. EventSource sends
// the last one when it reconnects, and the stream resumes after it, on any node. A stream is in at most 32 rooms, and
// their names take at most 8 KiB of an ID: a Join beyond that returns ErrTooManyRooms.
//
// While a stream is in one room with history, all streams of that room share its events. If it is in several, it gets
// copies with its own IDs. A slow consumer is then closed with 4001 even in rooms with OverflowReplay, and resumes from
// its ID.
//
// Over HTTP/1.1 the hub hijacks the connection. The handler returns, and an idle stream has no goroutine, even over
// TLS. On systems without a poller it has one. Over HTTP/2, and if the ResponseWriter cannot be hijacked, the handler's
// goroutine stays as long as the stream. A client that has vanished is noticed when events are sent to it. On Linux
// over HTTP/1.1 that is within the heartbeat's interval and timeout; elsewhere, when the system or the HTTP server
// gives up.
//
// A raw hub answers all requests with 501.
func (h *Hub) SSE() http.Handler { return http.HandlerFunc(h.serveSSE) }

// sse is a request of SSE.
type sse struct {
	exchange
	query sseQuery
}

func (h *Hub) serveSSE(w http.ResponseWriter, r *http.Request) {
	if h.conf.tracer != nil && h.traced(SpanHandshake, w, r, h.serveSSE) {
		return
	}
	h.life.Enter()
	defer h.life.Leave()
	s := &sse{exchange: h.newExchange(w, r, &h.stats.refused)}
	answered := false
	defer func() {
		if !answered { // a callback has ended this goroutine
			s.refuseAtEnd()
		}
	}()
	c, begin := s.admit()
	if h.conf.tracer != nil {
		h.endHTTP(httpSpanOf(r)) // what follows may last as long as the stream
	}
	if answered = true; c != nil {
		begin()
	}
}

// admit answers the request. If it accepts the request, the caller calls begin for its connection.
func (s *sse) admit() (c *Conn, begin func()) {
	h := s.hub
	if e, why := s.unfit(http.MethodGet); e != nil {
		s.turnAway(why, e, 0)
		return nil, nil
	}
	if s.r.Method == http.MethodOptions {
		s.preflight(http.MethodGet)
		return nil, nil
	}
	if fault := s.query.read(s.r); fault != nil {
		s.fail(fault)
		return nil, nil
	}
	ticket, refusal := h.gate.Arrive(s.r, h.resumes(s.r))
	if refusal != nil {
		s.turnAway(gateReason(refusal.Reason), h.gated(s.w, s.r, refusal), refusal.Spread)
		return nil, nil
	}
	c = h.newConn()
	c.ticket = ticket
	h.stats.handshaking.Add(1)
	defer h.stats.handshaking.Add(-1) // before begin, which registers the connection
	came := h.revocations.Arrive()
	stands := false
	defer func() {
		if !stands { // else teardown gives the ticket back
			c.ticket.Done(h.gate)
			h.revocations.Done(came)
		}
	}()
	(*handshake)(c).noteAddr(s.r)
	if refused := s.ask(c, s.query.token); refused != nil {
		s.turnAway(verdictReason(refused.Status), refused, 0)
		return nil, nil
	}
	body, err := s.open(c)
	if err != nil {
		h.log.Debug("event stream failed", "remote", s.r.RemoteAddr, "err", err)
		return nil, nil
	}
	stands = true
	return c, func() {
		if body != nil {
			defer body.wait() // even if a callback ends this goroutine
			defer context.AfterFunc(s.r.Context(), (*connContext)(c).leave)()
		}
		if (*handshake)(c).enter(came) {
			(*greeting)(c).stream(&s.query, body)
		}
	}
}

// turnAway answers a request that does not become a connection. EventSource gives up for good after any status but 200.
// A client that should reconnect gets a stream with a hint that ends at once. spread is that of the hint; zero draws
// the usual one.
func (s *sse) turnAway(why RefusalReason, e *HTTPError, spread time.Duration) {
	later := e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests
	if !later || s.hub.conf.raw || !strings.Contains(s.r.Header.Get("Accept"), mediaType) {
		s.refuse(why, e)
		return
	}
	s.refusals[why].Add(1)
	hint := protocol.Hint{RetryAfter: e.RetryAfter, Spread: spread, Reason: e.Message}
	if hint.RetryAfter <= 0 {
		hint.RetryAfter = retryAfter()
	}
	if hint.Spread <= 0 {
		hint.Spread = max(hint.RetryAfter/2, time.Second) // as after a Retry-After
	}
	streamHeader(s.w.Header(), false)
	s.send(http.StatusOK, codec.SSE{}.Close(nil, protocol.CloseTryAgainLater, hint))
}

const mediaType = "text/event-stream"

// streamHeader sets the headers of a stream's answer.
func streamHeader(header http.Header, compressed bool) {
	header.Set("Content-Type", mediaType)
	header.Set("Cache-Control", "no-store, no-transform")
	header.Set("X-Accel-Buffering", "no") // nginx would gather what is sent
	header.Set("X-Content-Type-Options", "nosniff")
	header.Del("Content-Length")
	header.Del("Content-Encoding")
	if compressed {
		header.Set("Content-Encoding", "gzip")
	}
}

// open answers the request with the head of a stream. The body is nil if the hub has hijacked the connection. If open
// returns an error, the request has been answered, if that was still possible.
func (s *sse) open(c *Conn) (*streamBody, error) {
	h := s.hub
	header, form := s.w.Header(), codec.FormSSE
	if h.conf.compress {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(s.r.Header["Accept-Encoding"]) {
			form = codec.FormSSEGzip
		}
	}
	conn, rw, err := s.control.Hijack()
	var body *streamBody
	switch {
	case errors.Is(err, http.ErrNotSupported):
		body = newStreamBody(s)
		conn = body
	case err != nil:
		s.refuse(RefusedUpgrade, &HTTPError{Status: http.StatusInternalServerError, Message: "internal error", Err: err})
		return nil, err
	default: // deadlines of the HTTP server do not apply any more
		conn = netpoll.Bare(conn)
		if err := conn.SetDeadline(time.Time{}); err != nil {
			s.refusals[RefusedUpgrade].Add(1)
			_ = conn.Close()
			return nil, err
		}
	}
	c.kind = events
	(*handshake)(c).attach(conn, h.mayAdopt(s.w, s.r))
	setUserTimeout(c.writer.Conn(), h.conf.heartbeat)
	c.writer.Speak(form)
	streamHeader(header, form == codec.FormSSEGzip)
	for k, v := range h.nameNode(s.r) {
		header[k] = append(header[k], v...)
	}
	head := ""
	if form == codec.FormSSEGzip {
		head = codec.GzipHead
	}
	if body == nil {
		head = responseHead(header) + head
	} else {
		body.begin()
	}
	if head != "" {
		if err := c.writer.SendControl([]byte(head)); err != nil {
			s.refusals[RefusedUpgrade].Add(1)
			return nil, err // and the socket is closed
		}
	}
	c.writer.Stamp(codec.NewTrail(form, s.query.places))
	h.stats.accepted.Add(1)
	c.ticket.Established(h.gate)
	c.opened()
	if rw != nil && rw.Reader.Buffered() > 0 {
		c.intruded()
	}
	return body, nil
}

// responseHead is the head of an answer whose body ends with the connection.
func responseHead(header http.Header) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n")
	if len(header["Date"]) == 0 {
		b.WriteString("Date: " + time.Now().UTC().Format(http.TimeFormat) + "\r\n")
	}
	// Writes into a Builder do not fail.
	_ = header.WriteSubset(&b, map[string]bool{"Connection": true, "Content-Length": true, "Transfer-Encoding": true, "Upgrade": true})
	b.WriteString("\r\n")
	return b.String()
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func acceptsGzip(lines []string) bool {
	for _, line := range lines {
		for coding := range strings.SplitSeq(line, ",") {
			name, weight, weighted := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			q := strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(weight), " ", ""), "q=")
			return !weighted || strings.Trim(q, "0.") != ""
		}
	}
	return false
}
