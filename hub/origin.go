package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// WithOrigins allows browsers on pages of other origins than the hub's own. By default only pages of the hub's own origin
// may connect. An origin is written as in the Origin header: "http://app.example.com:8080". If the scheme is left out, it
// is https, and for a loopback host ("localhost:5173") http too. A host may contain *. "*" alone allows every page on the
// web to connect with its visitor's cookies: do not identify users by cookies then. New rejects an origin that no browser
// sends: with a path, a space or the scheme's standard port, or "null".
func WithOrigins(origins ...string) Option {
	return func(c *config) error {
		if len(origins) == 0 {
			return errors.New("WithOrigins: no origin given")
		}
		var errs []error
		for _, s := range origins {
			o, err := parseOrigin(s)
			if err != nil {
				errs = append(errs, fmt.Errorf("WithOrigins: origin %q: %w", s, err))
			}
			c.origins = append(c.origins, o)
		}
		return errors.Join(errs...)
	}
}

// originPattern is an origin of WithOrigins.
type originPattern struct {
	any      bool
	scheme   string
	host     string // in lower case, * for any run of characters
	loopback bool   // http is allowed too
}

func parseOrigin(s string) (originPattern, error) {
	o := originPattern{any: s == "*", scheme: "https", host: strings.ToLower(s)}
	if o.any {
		return o, nil
	}
	scheme, host, named := strings.Cut(o.host, "://")
	if named {
		o.scheme, o.host = scheme, host
	}
	name := o.host
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, ']') {
		name = name[:i]
	}
	o.loopback = !named && (name == "localhost" || strings.HasPrefix(name, "127.") || name == "[::1]")
	switch {
	case o.host == "" || o.host == "null":
		return o, errors.New("it names no host")
	case o.scheme != "https" && o.scheme != "http":
		return o, errors.New("the scheme must be http or https")
	case strings.ContainsAny(o.host, "/ \t\r\n?#@,\\"):
		return o, errors.New("give scheme and host, such as example.com or https://*.example.com:8443, without a path")
	case withoutDefaultPort(o.scheme, o.host) != o.host:
		return o, errors.New("browsers omit the default port: leave it out")
	}
	return o, nil
}

func (o *originPattern) matches(scheme, host string) bool {
	return o.any || host != "" && (scheme == o.scheme || o.loopback && scheme == "http") && matchPattern(o.host, host)
}

// checkOrigin refuses a handshake of a page that may not connect.
func (h *Hub) checkOrigin(r *http.Request) *HTTPError {
	allowed := false
	if f := h.conf.checkOrigin; f == nil {
		allowed = h.allowOrigin(r)
	} else if failed := h.guard("origin check", nil, func() error { allowed = f(r); return nil }); failed != nil {
		return h.refusal(failed, http.StatusForbidden, "")
	}
	if !allowed {
		return h.originRefused(r)
	}
	return nil
}

// allowOrigin is the same-origin rule. A browser names the origin of its page, which must have the host and the scheme
// of the request, or be of WithOrigins. Other clients send no Origin. If the scheme of the request is unknown, it is
// not compared.
func (h *Hub) allowOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	if u.Host != "" {
		if s := h.scheme(r); (s == "" || s == u.Scheme) &&
			strings.EqualFold(withoutDefaultPort(u.Scheme, u.Host), withoutDefaultPort(u.Scheme, r.Host)) {
			return true
		}
	}
	host := strings.ToLower(u.Host)
	for i := range h.conf.origins {
		if h.conf.origins[i].matches(u.Scheme, host) {
			return true
		}
	}
	return false
}

// scheme returns the scheme by which the client reaches the hub: https or http; empty if only an untrusted proxy could
// know.
func (h *Hub) scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	if forwarded := r.Header.Get("X-Forwarded-Proto"); forwarded != "" && h.gate.Relayed(r) {
		switch strings.ToLower(forwarded) {
		case "https", "wss":
			return "https"
		case "http", "ws":
			return "http"
		}
	}
	return ""
}

func withoutDefaultPort(scheme, host string) string {
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

// perMinute lets one event a minute through, and counts the others.
type perMinute struct {
	next    atomic.Int64 // on the hub's clock
	leftOut atomic.Int64
}

// pass reports whether this event may pass, and how many have not since the last that did.
func (l *perMinute) pass(h *Hub) (ok bool, leftOut int64) {
	now, next := int64(h.now()), l.next.Load()
	if now >= next && l.next.CompareAndSwap(next, now+int64(time.Minute)) {
		return true, l.leftOut.Swap(0)
	}
	l.leftOut.Add(1)
	return false, 0
}

// originRefused tells the operator what was compared: the browser shows its user none of it.
func (h *Hub) originRefused(r *http.Request) *HTTPError {
	if ok, leftOut := h.warned.origin.pass(h); ok {
		h.log.Warn("origin refused: allow it with WithOrigins, or have the proxy pass on Host and X-Forwarded-Proto (WithTrustedProxies)",
			"origin", r.Header.Get("Origin"), "host", r.Host, "scheme", h.scheme(r), "remote", r.RemoteAddr, "left_out", leftOut)
	}
	return &HTTPError{Status: http.StatusForbidden, Message: "origin not allowed"}
}

// cannotHijack tells the operator that no handshake can succeed.
func (h *Hub) cannotHijack(w http.ResponseWriter, err error) {
	if ok, leftOut := h.warned.hijack.pass(h); ok {
		h.log.Warn("handshake failed: the ResponseWriter cannot be hijacked; serve the hub without http.TimeoutHandler, and give "+
			"the wrappers of other middleware (gzip, metrics, logging, tracing) a method Unwrap", "writer", fmt.Sprintf("%T", w), "err", err, "left_out", leftOut)
	}
}
