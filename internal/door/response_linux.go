package door

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// beforeChunks is how much of a body is kept in the hope that it is all, and has a Content-Length. It is package http's.
const beforeChunks = 2 << 10

// response is the answer of a handler that does not hijack. It is what package http sends, but for the connection, which is closed
// after it: nothing that follows a handshake could be taken for a request.
type response struct {
	header  http.Header // the handler's
	sent    http.Header // as it was when the status was written
	status  int
	wrote   bool // the status
	begun   bool // the head has been sent
	chunks  bool
	length  int64 // that the handler has announced, or -1
	written int64
	body    []byte
	trailer []string
	writeBy time.Time
	err     error // of the connection
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header {
	if x.response.header == nil {
		x.response.header = make(http.Header)
	}
	return x.response.header
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(code int) {
	w := &x.response
	switch {
	case x.life.hijacked.Load():
		x.door.logf("http: response.WriteHeader on hijacked connection")
		return
	case w.wrote:
		x.door.logf("http: superfluous response.WriteHeader call")
		return
	}
	checkCode(code)
	if code < 200 && code != http.StatusSwitchingProtocols {
		b := buffers.Get().(*bytes.Buffer)
		writeStatus(b, code)
		_ = w.header.WriteSubset(b, bodyFields) // to memory
		b.WriteString("\r\n")
		w.send(x, b)
		return
	}
	w.wrote, w.status, w.length = true, code, -1
	w.sent = w.header.Clone()
	if s := w.sent.Get("Content-Length"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			x.door.logf("http: invalid Content-Length of %q", s)
			w.header.Del("Content-Length")
			return
		}
		w.length = n
	}
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	if err := x.mayWrite(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	w := &x.response
	w.body = append(w.body, p...)
	return len(p), w.overflow(x)
}

// WriteString implements io.StringWriter.
func (x *exchange) WriteString(s string) (int, error) {
	if err := x.mayWrite(len(s)); err != nil || s == "" {
		return 0, err
	}
	w := &x.response
	w.body = append(w.body, s...)
	return len(s), w.overflow(x)
}

func (x *exchange) mayWrite(n int) error {
	w := &x.response
	if x.life.hijacked.Load() {
		if n > 0 {
			x.door.logf("http: response.Write on hijacked connection")
		}
		return http.ErrHijacked
	}
	if !w.wrote {
		x.WriteHeader(http.StatusOK)
	}
	if n > 0 && !bodyAllowed(w.status) {
		return http.ErrBodyNotAllowed
	}
	if w.written += int64(n); w.length != -1 && w.written > w.length {
		return http.ErrContentLength
	}
	return nil
}

// overflow sends the body so far if it is more than is kept.
func (w *response) overflow(x *exchange) error {
	if len(w.body) > beforeChunks {
		w.flush(x)
	}
	return w.err
}

// Flush implements http.Flusher.
func (x *exchange) Flush() { _ = x.FlushError() }

// FlushError is what http.ResponseController calls.
func (x *exchange) FlushError() error {
	w := &x.response
	if x.life.hijacked.Load() {
		return http.ErrHijacked
	}
	if !w.wrote {
		x.WriteHeader(http.StatusOK)
	}
	w.flush(x)
	return w.err
}

// SetReadDeadline is what http.ResponseController calls: at its end the request's context ends, as package http has it.
func (x *exchange) SetReadDeadline(t time.Time) error {
	l := &x.life
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readBy = t
	l.setTimer((*requestContext)(x))
	return nil
}

// SetWriteDeadline is what http.ResponseController calls.
func (x *exchange) SetWriteDeadline(t time.Time) error {
	x.response.writeBy = t
	return nil
}

// EnableFullDuplex is what http.ResponseController calls. There is no body to read.
func (x *exchange) EnableFullDuplex() error { return nil }

// flush sends what there is.
func (w *response) flush(x *exchange) {
	b := buffers.Get().(*bytes.Buffer)
	w.write(b, false)
	w.send(x, b)
}

// end sends what is left.
func (w *response) end(x *exchange) {
	if !w.wrote {
		x.WriteHeader(http.StatusOK)
	}
	b := buffers.Get().(*bytes.Buffer)
	w.write(b, true)
	w.send(x, b)
}

// write writes the head, if it has not been, and the body so far.
func (w *response) write(b *bytes.Buffer, last bool) {
	if !w.begun {
		w.begun = true
		w.writeHead(b, last)
	}
	switch {
	case !w.chunks:
		b.Write(w.body)
	case len(w.body) > 0:
		b.WriteString(strconv.FormatInt(int64(len(w.body)), 16))
		b.WriteString("\r\n")
		b.Write(w.body)
		b.WriteString("\r\n")
	}
	w.body = w.body[:0]
	if w.chunks && last {
		b.WriteString("0\r\n")
		_ = w.trailers().Write(b) // to memory
		b.WriteString("\r\n")
	}
}

// writeHead writes what package http would; see its chunkWriter.
func (w *response) writeHead(b *bytes.Buffer, last bool) {
	h := w.sent
	without := make(map[string]bool)
	extra := make(http.Header, 4)
	for k := range h {
		if strings.HasPrefix(k, http.TrailerPrefix) {
			without[k] = true
			w.trailer = append(w.trailer, k)
		}
	}
	for _, line := range h["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" && !slices.Contains(noTrailers, name) {
				w.trailer = append(w.trailer, name)
			}
		}
	}
	te := h.Get("Transfer-Encoding")
	if te != "" && te != "identity" {
		w.length = -1
	}
	if _, announced := h["Content-Length"]; !announced && last && len(w.trailer) == 0 && te == "" && bodyAllowed(w.status) {
		w.length = int64(len(w.body))
		extra["Content-Length"] = []string{strconv.Itoa(len(w.body))}
	}
	if bodyAllowed(w.status) {
		if _, typed := h["Content-Type"]; !typed && h.Get("Content-Encoding") == "" && te == "" && len(w.body) > 0 {
			extra["Content-Type"] = []string{http.DetectContentType(w.body)}
		}
	} else {
		without["Content-Length"], without["Transfer-Encoding"] = true, true
		without["Content-Type"] = w.status == http.StatusNotModified
	}
	if _, dated := h["Date"]; !dated {
		extra["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
	}
	switch {
	case !bodyAllowed(w.status), w.length >= 0, te == "identity":
		without["Transfer-Encoding"] = true
	default:
		w.chunks = true
		without["Transfer-Encoding"], without["Content-Length"] = true, true
		extra["Transfer-Encoding"] = []string{"chunked"}
	}
	switch c := []byte(strings.ToLower(h.Get("Connection"))); {
	case w.status == http.StatusSwitchingProtocols && hasToken(c, "upgrade"), hasToken(c, "close"):
	default:
		without["Connection"] = true
		extra["Connection"] = []string{"close"}
	}
	writeStatus(b, w.status)
	_ = h.WriteSubset(b, without) // to memory, both
	_ = extra.Write(b)
	b.WriteString("\r\n")
}

// trailers are the fields behind the last chunk.
func (w *response) trailers() http.Header {
	t := make(http.Header, len(w.trailer))
	for k, v := range w.header {
		if name, ok := strings.CutPrefix(k, http.TrailerPrefix); ok {
			t[name] = v
		} else if slices.Contains(w.trailer, k) {
			t[k] = v
		}
	}
	return t
}

// send sends b, and gives it back.
func (w *response) send(x *exchange, b *bytes.Buffer) {
	if w.err == nil {
		n, err := x.conn.Send(b.Bytes())
		if err == nil && n < b.Len() {
			if err = x.conn.SetWriteDeadline(w.writeBy); err == nil {
				_, err = x.conn.Write(b.Bytes()[n:])
			}
		}
		if w.err = err; err != nil {
			(*requestContext)(x).clientLeft()
		}
	}
	b.Reset()
	buffers.Put(b)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// bodyFields are not sent with an answer that is not the last; noTrailers are not sent behind a body.
var (
	bodyFields = map[string]bool{"Content-Length": true, "Transfer-Encoding": true}
	noTrailers = []string{"Transfer-Encoding", "Content-Length", "Trailer"}
)

// bodyAllowed reports whether an answer may have a body (RFC 9110, section 6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

func writeStatus(b *bytes.Buffer, code int) {
	b.WriteString("HTTP/1.1 ")
	b.WriteString(strconv.Itoa(code))
	b.WriteByte(' ')
	if text := http.StatusText(code); text != "" {
		b.WriteString(text)
	} else {
		b.WriteString("status code " + strconv.Itoa(code))
	}
	b.WriteString("\r\n")
}

var (
	_ http.ResponseWriter = (*exchange)(nil)
	_ http.Flusher        = (*exchange)(nil)
	_ http.Hijacker       = (*exchange)(nil)
	_ io.StringWriter     = (*exchange)(nil)
)
