package hub

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Affinity says how the answer to a handshake names this node, so that a load balancer can bring a client back
// to it. The zero value is the default. The name is no credential: a client that sends another one only chooses its
// node.
type Affinity struct {
	// Cookie is the name of the cookie that holds the node's; "hubkit_node" where it is empty. nginx knows cookies
	// as variables, and so only those made of letters, digits and _.
	Cookie string
	// Path is where the browser sends the cookie; "/" where it is empty.
	Path string
	// MaxAge is how long a browser keeps the cookie, counted from its last handshake, in whole seconds. It keeps
	// it until it is closed where this is zero.
	MaxAge time.Duration
	// SameSite is http.SameSiteLaxMode where it is zero. Pages of another site than the hub's need
	// http.SameSiteNoneMode, and that needs Secure.
	SameSite http.SameSite
	// Secure keeps the cookie off connections without TLS. Otherwise it is kept off them only where the handshake came
	// by TLS itself, or where one of WithTrustedProxies says "X-Forwarded-Proto: https".
	Secure bool
	// Header is the name of the header that holds the node's name too, for those who read logs;
	// "X-Hubkit-Node" where it is empty.
	Header string
}

// WithAffinity has the answer to every handshake name this node, in a cookie (always HttpOnly) and in a header. By default
// neither is sent. The node's name must then be one that a cookie can hold. Set it with WithNode if the load balancer has to
// know it.
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
	require(isToken(a.Cookie), "%q is no name for a cookie", a.Cookie)
	require(isToken(a.Header), "%q is no name for a header", a.Header)
	require(!handshakes(a.Header), "the header %s belongs to the handshake", a.Header)
	require(strings.HasPrefix(a.Path, "/") && a.cookie("n", false).Valid() == nil, "%q is no path for a cookie", a.Path)
	require(a.MaxAge >= 0 && a.MaxAge%time.Second == 0, "MaxAge %v is not a number of seconds", a.MaxAge)
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
	//nolint:gosec // It is no secret, and a secure cookie would not come back without TLS.
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

// affinity is what WithAffinity adds to the answer to a handshake. Nothing of it changes from one to the next but
// whether the cookie is secure, and nobody writes to it.
type affinity struct{ plain, secure http.Header }

// newAffinity returns nil where a is.
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

// nameNode returns what the answer to r names this node in; nil where it does not.
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
