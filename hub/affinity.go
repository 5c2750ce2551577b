package hub

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Affinity says how the answer to a handshake names this node, so that a load balancer can route the client back to it.
// The zero value has all defaults. The name is no credential: a client that sends another name only chooses another
// node.
type Affinity struct {
	// Cookie is the name of the cookie that holds the node's name. The default is "hubkit_node". nginx reads cookies as
	// variables, and so only those whose names have letters, digits and _ alone.
	Cookie string
	// Path is the cookie's path. The default is "/".
	Path string
	// MaxAge is how long a browser keeps the cookie after its last handshake, in whole seconds. The default is zero: the
	// browser keeps the cookie until it is closed.
	MaxAge time.Duration
	// SameSite is the cookie's SameSite attribute. The default is http.SameSiteLaxMode. Pages of another site than the
	// hub's need http.SameSiteNoneMode, which needs Secure.
	SameSite http.SameSite
	// Secure marks the cookie Secure: browsers then send it only over TLS. By default the cookie is Secure only if
	// the handshake came over TLS, or if one of WithTrustedProxies says "X-Forwarded-Proto: https".
	Secure bool
	// Header is the name of a header that holds the node's name too, for logs. The default is "X-Hubkit-Node".
	Header string
}

// WithAffinity makes the answer to every handshake name this node, in a cookie (always HttpOnly) and in a header. By
// default neither is sent. The node's name must be one that a cookie can hold. If the load balancer has to know the
// name, set it with WithNode.
func WithAffinity(a Affinity) Option {
	return func(c *config) error {
		for _, d := range []struct {
			field *string
			value string
		}{{&a.Cookie, "hubkit_node"}, {&a.Path, "/"}, {&a.Header, "X-Hubkit-Node"}} {
			if *d.field == "" {
				*d.field = d.value
			}
		}
		if a.SameSite == 0 {
			a.SameSite = http.SameSiteLaxMode
		}
		if err := a.validate(); err != nil {
			return err
		}
		c.affinity = &a
		return nil
	}
}

func (a *Affinity) validate() error {
	var errs []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("WithAffinity: "+format, args...))
		}
	}
	require(isToken(a.Cookie), "%q is not a valid cookie name", a.Cookie)
	require(isToken(a.Header), "%q is not a valid header name", a.Header)
	require(!handshakes(a.Header), "the header %s is reserved for the handshake: choose another", a.Header)
	require(strings.HasPrefix(a.Path, "/") && a.cookie("n", false).Valid() == nil, "%q is not a valid cookie path", a.Path)
	require(a.MaxAge >= 0 && a.MaxAge%time.Second == 0, "MaxAge %v is not a whole number of seconds", a.MaxAge)
	switch a.SameSite {
	case http.SameSiteLaxMode, http.SameSiteStrictMode:
	case http.SameSiteNoneMode:
		require(a.Secure, "SameSite None without Secure: browsers drop such a cookie")
	default:
		require(false, "unknown SameSite %d", a.SameSite)
	}
	require(!strings.HasPrefix(a.Cookie, "__Secure-") || a.Secure, "%s without Secure: browsers drop such a cookie", a.Cookie)
	require(!strings.HasPrefix(a.Cookie, "__Host-") || a.Secure && a.Path == "/",
		`%s needs Secure and the path "/": browsers drop it otherwise`, a.Cookie)
	return errors.Join(errs...)
}

func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	}) < 0
}

// handshakes reports whether a header is one that the answer to a handshake has anyway, or must not have.
func handshakes(header string) bool {
	switch h := http.CanonicalHeaderKey(header); h {
	case "Connection", "Upgrade", "Set-Cookie", "Content-Length", "Transfer-Encoding":
		return true
	default:
		return strings.HasPrefix(h, "Sec-Websocket-")
	}
}

// fits reports whether a cookie can hold a node's name as it is: a load balancer compares it byte by byte.
func (a *Affinity) fits(node string) bool {
	return a.cookie(node, false).Valid() == nil && !strings.ContainsAny(node, " ,")
}

func (a *Affinity) cookie(node string, secure bool) *http.Cookie {
	//nolint:gosec // It is no secret, and without TLS browsers do not return a secure cookie.
	return &http.Cookie{
		Name:     a.Cookie,
		Value:    node,
		Path:     a.Path,
		MaxAge:   int(a.MaxAge / time.Second),
		Secure:   secure,
		HttpOnly: true,
		SameSite: a.SameSite,
	}
}

// affinity holds the headers that WithAffinity adds to the answer to a handshake. From one answer to the next only the
// cookie's Secure attribute differs. Nothing writes to the headers.
type affinity struct{ plain, secure http.Header }

// newAffinity returns nil if a is nil.
func newAffinity(a *Affinity, node string) *affinity {
	if a == nil {
		return nil
	}
	header := func(secure bool) http.Header {
		h := make(http.Header, 2)
		h.Set("Set-Cookie", a.cookie(node, secure).String())
		h.Set(a.Header, node)
		return h
	}
	return &affinity{plain: header(a.Secure), secure: header(true)}
}

// nameNode returns the headers that name this node in the answer to r; nil without WithAffinity.
func (h *Hub) nameNode(r *http.Request) http.Header {
	switch a := h.affinity; {
	case a == nil:
		return nil
	case h.scheme(r) == "https":
		return a.secure
	default:
		return a.plain
	}
}
