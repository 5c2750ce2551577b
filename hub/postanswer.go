package hub

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// postFault is why a POST is not carried out: the error that a client with a connection would get, and the status.
type postFault struct {
	Error
	room   string
	status int // zero for that of the code
}

func badRequest(message string) *postFault {
	return &postFault{Error: Error{Code: protocol.CodeBadRequest, Message: message}}
}

// statusOf is the status of an error code. A code that the hub does not know is the application's.
func statusOf(code protocol.ErrorCode) int {
	switch code {
	case protocol.CodeBadRequest, protocol.CodeUnknownOp, protocol.CodeBadRoom:
		return http.StatusBadRequest
	case protocol.CodeUnauthorized:
		return http.StatusUnauthorized
	case protocol.CodeForbidden, protocol.CodeRemoved, protocol.CodeExpired:
		return http.StatusForbidden
	case protocol.CodeUnknownRoom, protocol.CodeUnknownMethod, protocol.CodeNoHistory, protocol.CodeNoPresence:
		return http.StatusNotFound
	case protocol.CodeConflict, protocol.CodeTooManyRooms:
		return http.StatusConflict
	case protocol.CodeGone:
		return http.StatusGone
	case protocol.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case protocol.CodeRateLimited:
		return http.StatusTooManyRequests
	case protocol.CodeBusy, protocol.CodeUnavailable:
		return http.StatusServiceUnavailable
	case protocol.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusUnprocessableEntity
}

// codeOf is the closest error code for the status of a refusal.
func codeOf(status int) protocol.ErrorCode {
	switch {
	case status == http.StatusUnauthorized:
		return protocol.CodeUnauthorized
	case status == http.StatusTooManyRequests:
		return protocol.CodeRateLimited
	case status == http.StatusMethodNotAllowed, status == http.StatusBadRequest:
		return protocol.CodeBadRequest
	case status < 500:
		return protocol.CodeForbidden
	case status == http.StatusInternalServerError, status == http.StatusNotImplemented:
		return protocol.CodeInternal
	}
	return protocol.CodeUnavailable
}

// fail answers a request that is not carried out.
func (p *exchange) fail(f *postFault) {
	status := f.status
	if status == 0 {
		status = statusOf(f.Code)
	}
	if status == http.StatusBadRequest || status == http.StatusUnsupportedMediaType {
		p.hub.stats.invalid.Add(1)
	}
	if (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) && f.RetryAfter <= 0 {
		f.RetryAfter = retryAfter()
	}
	if p.hub.conf.tracer != nil {
		noteRefused(p.r, status, string(f.Code), nil)
	}
	if f.RetryAfter > 0 {
		p.w.Header().Set("Retry-After", wholeSeconds(f.RetryAfter))
	}
	if status == http.StatusUnauthorized && p.w.Header().Get("WWW-Authenticate") == "" {
		p.w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if p.r.Body != nil {
		_ = p.r.Body.Close() // the rest is not read
	}
	p.answer(status, func(dst []byte) []byte { return protocol.AppendError(dst, 0, f.room, &f.Error) })
}

// refuse answers a request that is refused before it is read.
func (p *exchange) refuse(why RefusalReason, e *HTTPError) {
	p.refusals[why].Add(1)
	p.fail(&postFault{Error: Error{Code: codeOf(e.Status), Message: e.Message, RetryAfter: e.RetryAfter}, status: e.Status})
}

func (p *exchange) tooFast(wait time.Duration, message string) {
	p.hub.stats.limited.Add(1)
	p.fail(&postFault{Error: Error{Code: protocol.CodeRateLimited, Message: message, RetryAfter: wait}})
}

// refuseAtEnd answers a request whose goroutine a callback has ended. Package http sends nothing more for it.
func (p *exchange) refuseAtEnd() {
	p.w.Header().Set("Connection", "close")
	p.refuse(RefusedUnavailable, p.hub.refusal(crash, 0, ""))
}

// answer sends a frame of protocol v1 as the answer.
func (p *exchange) answer(status int, encode func([]byte) []byte) {
	body := encode(nil)
	header := p.w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	p.send(status, body)
}

// send sends an answer whose header is set. A client that does not take it within the write timeout loses it.
func (p *exchange) send(status int, body []byte) {
	// The deadlines are for this answer alone; a ResponseWriter that has none leaves it to the http.Server.
	_ = p.control.SetWriteDeadline(time.Now().Add(p.hub.conf.writeTimeout))
	p.w.WriteHeader(status)
	_, _ = p.w.Write(body) // the client may be gone
	_ = p.control.Flush()
	_ = p.control.SetWriteDeadline(time.Time{})
}

// body reads the body. Its buffer counts in the memory budget.
func (p *post) body() ([]byte, *postFault) {
	h := p.hub
	limit := h.conf.maxMessage
	tooLarge := &postFault{
		Error: Error{Code: protocol.CodeTooLarge, Message: "the body has more than " + strconv.Itoa(limit) + " bytes"},
	}
	if p.r.ContentLength > int64(limit) {
		p.w.Header().Set("Connection", "close") // rather than read what comes
		return nil, tooLarge
	}
	_ = p.control.SetReadDeadline(time.Now().Add(h.conf.readTimeout))
	defer func() { _ = p.control.SetReadDeadline(time.Time{}) }()
	from := http.MaxBytesReader(p.w, p.r.Body, int64(limit))
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			more := min(max(512, cap(buf)), limit+1-cap(buf)) // one more, to see the end
			if !h.memory.reserve(more) {
				return nil, &postFault{Error: Error{Code: protocol.CodeBusy, Message: "the memory budget is exhausted: try again later"}}
			}
			p.held += more
			grown := make([]byte, len(buf), cap(buf)+more)
			copy(grown, buf)
			buf = grown
		}
		n, err := from.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		_, over := errors.AsType[*http.MaxBytesError](err)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return bytes.Trim(buf, " \t\r\n"), nil
		case over:
			return nil, tooLarge
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.w.Header().Set("Connection", "close")
			return nil, &postFault{
				Error: Error{Code: protocol.CodeBadRequest, Message: "the body took too long"}, status: http.StatusRequestTimeout,
			}
		default:
			return nil, badRequest("the body cannot be read")
		}
	}
}

// allowed is the Allow header if method is the one to use.
func allowed(method string) string {
	if method == http.MethodPost {
		return "OPTIONS, POST"
	}
	return method + ", OPTIONS"
}

// unfit returns why the hub would not accept the request from any client.
func (p *exchange) unfit(method string) (*HTTPError, RefusalReason) {
	h, r := p.hub, p.r
	p.w.Header().Add("Vary", "Origin")
	if foreign(r) {
		return h.originRefused(r), RefusedOrigin
	}
	if refused := h.checkOrigin(r); refused != nil {
		return refused, RefusedOrigin
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		p.w.Header().Set("Access-Control-Allow-Origin", origin)
		p.w.Header().Set("Access-Control-Allow-Credentials", "true")
		p.w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	}
	switch {
	case !h.life.Serving():
		p.w.Header().Set("Connection", "close")
		return h.refusedMeanwhile(), RefusedDraining
	case h.conf.raw:
		return &HTTPError{Status: http.StatusNotImplemented, Message: "a raw hub does not publish, call or stream over HTTP"}, RefusedRequest
	case r.Method != method && r.Method != http.MethodOptions:
		p.w.Header().Set("Allow", allowed(method))
		return &HTTPError{Status: http.StatusMethodNotAllowed, Message: "the method must be " + method}, RefusedRequest
	}
	return nil, 0
}

const (
	// preflightAge is how long a browser may keep the answer, in seconds.
	preflightAge = "600"
	// maxPreflight bounds the header names that a page may ask for, in bytes.
	maxPreflight = 1 << 10
)

// preflight tells a browser that a page of an allowed origin may send its request. Credentials and the headers that the
// application reads are allowed as for the hub's own pages.
func (p *exchange) preflight(method string) {
	header := p.w.Header()
	header.Set("Allow", allowed(method))
	header.Add("Vary", "Access-Control-Request-Headers")
	if p.r.Header.Get("Origin") != "" {
		header.Set("Access-Control-Allow-Methods", method)
		header.Set("Access-Control-Max-Age", preflightAge)
		if asked := strings.Join(p.r.Header["Access-Control-Request-Headers"], ","); asked != "" && len(asked) <= maxPreflight {
			header.Set("Access-Control-Allow-Headers", asked)
		}
	}
	p.w.WriteHeader(http.StatusNoContent)
}
