package hub

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/gohubkit/hubkit/internal/evict"
	"github.com/gohubkit/hubkit/preflight"
)

// EvictingListener accepts connections for an http.Server and keeps file descriptors free for everything else. So
// neither accept nor a connection to Redis fails with EMFILE, whatever clients do:
//
//	ln, err := hub.NewEvictingListener(tcp)
//	srv := &http.Server{Handler: mux, ConnState: ln.ConnState, ReadHeaderTimeout: 10 * time.Second}
//	err = srv.Serve(ln)
//
// A connection that never sends a request reaches no handler, and the hub cannot bound it. When only half of the
// reserve of descriptors is left, the listener closes the connection that has been silent longest and accepts the new
// one. A connection is silent while it waits for its first request, or after an answer for the next one. So a health
// check is answered however many silent connections a client opens. If none is silent, the listener refuses the new
// connection with 503 and Retry-After, or over TLS by closing it.
//
// Accept returns the connections as they are: a *net.TCPConn stays one, which the hub needs for cheap idle connections.
// For TLS, give NewEvictingListener the plain listener. Then use http.Server.ServeTLS, or tls.NewListener on the
// result.
type EvictingListener struct{ inner *evict.Listener }

var _ net.Listener = (*EvictingListener)(nil)

// NewEvictingListener returns an EvictingListener on a listener of TCP or Unix connections. The limit and the reserve
// are those of package preflight; of its options only WithReserve and WithDescriptorLimit have an effect. The error is
// about the arguments only. For an option it matches preflight.ErrOption. If there is no limit, the listener bounds
// nothing. It also bounds nothing if the descriptors in use cannot be counted, which needs Linux.
func NewEvictingListener(inner net.Listener, opts ...preflight.Option) (*EvictingListener, error) {
	if inner == nil {
		return nil, errors.New("hub: NewEvictingListener: nil listener")
	}
	r, err := preflight.Check(opts...)
	if err != nil {
		return nil, fmt.Errorf("hub: NewEvictingListener: %w", err)
	}
	return &EvictingListener{evict.New(inner, mostDescriptors(r))}, nil
}

// Accept blocks until there is a connection and a free descriptor for it. If none is free, it closes a silent connection.
func (l *EvictingListener) Accept() (net.Conn, error) { return l.inner.Accept() }

// Addr returns the address of the inner listener.
func (l *EvictingListener) Addr() net.Addr { return l.inner.Addr() }

// Close closes the inner listener. It blocks until no refusal is under way, at most 1 s.
func (l *EvictingListener) Close() error { return l.inner.Close() }

// ConnState is the function for the field of that name in the http.Server. The server's goroutines call it. It does not
// block.
func (l *EvictingListener) ConnState(conn net.Conn, state http.ConnState) {
	l.inner.ConnState(conn, state)
}

// Stats returns how many silent connections were closed for others, and how many connections were refused.
func (l *EvictingListener) Stats() (evicted, refused int64) { return l.inner.Stats() }
