package hub

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/gohubkit/hubkit/internal/evict"
	"github.com/gohubkit/hubkit/preflight"
)

// EvictingListener accepts connections for an http.Server and keeps file descriptors free for everything else, so that
// neither accept nor a connection to Redis fails with EMFILE, whatever clients do:
//
//	ln, err := hub.NewEvictingListener(tcp)
//	srv := &http.Server{Handler: mux, ConnState: ln.ConnState, ReadHeaderTimeout: 10 * time.Second}
//	err = srv.Serve(ln)
//
// A connection that never sends a request reaches no handler, and the hub cannot bound it. When all descriptors but half of
// the reserve are in use, the listener closes the connection that has been silent longest and accepts the new one. Silent
// are those that wait for their first request, or for another one after an answer. So a health check is answered however
// many connections somebody opens and says nothing on. If none is silent, the listener refuses the new connection with 503
// and Retry-After, or over TLS without a word.
//
// Accept returns the connections as they are: a *net.TCPConn stays one, which the hub needs for cheap idle connections. For
// TLS, give NewEvictingListener the plain listener. Then use http.Server.ServeTLS, or tls.NewListener on the result.
type EvictingListener struct{ inner *evict.Listener }

var _ net.Listener = (*EvictingListener)(nil)

// NewEvictingListener makes an EvictingListener of a listener that accepts TCP or Unix connections. The limit and the
// reserve are those of package preflight; of its options only WithReserve and WithDescriptorLimit matter. The error is about
// the arguments alone; for an option it matches preflight.ErrOption. If there is no limit, or the descriptors in use cannot
// be counted, which takes Linux, the listener bounds nothing.
func NewEvictingListener(inner net.Listener, opts ...preflight.Option) (*EvictingListener, error) {
	if inner == nil {
		return nil, errors.New("hub: NewEvictingListener: nil listener")
	}
	r, err := preflight.Check(opts...)
	if err != nil {
		return nil, fmt.Errorf("hub: NewEvictingListener: %w", err)
	}
	most := preflight.Unlimited
	if d := r.Descriptors; d.Soft >= 0 {
		most = max(d.Soft-d.Reserve/2, 0)
	}
	return &EvictingListener{evict.New(inner, most)}, nil
}

// Accept blocks until there is a connection for which a descriptor is free, or was made free.
func (l *EvictingListener) Accept() (net.Conn, error) { return l.inner.Accept() }

// Addr returns the address of the inner listener.
func (l *EvictingListener) Addr() net.Addr { return l.inner.Addr() }

// Close closes the inner listener. It returns when no connection is being refused any more, within a second.
func (l *EvictingListener) Close() error { return l.inner.Close() }

// ConnState is for the field of that name of the http.Server. The server's goroutines call it; it blocks none.
func (l *EvictingListener) ConnState(conn net.Conn, state http.ConnState) {
	l.inner.ConnState(conn, state)
}

// Stats returns how many silent connections were closed for others, and how many connections were refused.
func (l *EvictingListener) Stats() (evicted, refused int64) { return l.inner.Stats() }
