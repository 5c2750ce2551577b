package hub

import (
	"errors"
	"net"
	"net/http"

	"github.com/gohubkit/hubkit/internal/door"
	"github.com/gohubkit/hubkit/preflight"
)

// Serve is srv.Serve(l) with cheaper handshakes. On Linux, if l is a TCP listener, the hub accepts the connections
// itself:
//
//	l, err := net.Listen("tcp", ":8080")
//	err = h.Serve(srv, l) // in place of srv.Serve(l)
//
// A connection costs no goroutine and no buffer until a whole request head has come. Serve then passes WebSocket
// handshakes to srv.Handler. This hub, another hub, other WebSocket libraries, middleware and proxies work there as
// under srv.Serve. If a handler answers a handshake without hijacking the connection, Serve sends the answer and closes
// the connection. Everything else is net/http's: other requests, heads longer than 8 KiB, and every head that is
// malformed or unusual. srv's timeouts, ErrorLog, BaseContext, MaxHeaderBytes, Shutdown and Close keep their meaning.
//
// When descriptors run low, Serve closes the connection that has been silent longest and accepts the new one, as
// EvictingListener does. If none is silent, it answers 503. Connections that net/http has, after their first request,
// are not closed for others: set srv.IdleTimeout.
//
// Serve uses srv.Serve, and logs why, on other systems, with other listeners, and if srv sets ConnState, ConnContext,
// TLSNextProto or DisableGeneralOptionsHandler. For TLS use srv.ServeTLS.
//
// Serve blocks and returns what srv.Serve returns: http.ErrServerClosed after srv.Shutdown or srv.Close. It calls
// BaseContext twice. The server does not own the hub's connections: end both, in either order. srv.Shutdown waits for
// handshakes under way, and Hub.Shutdown closes the hub's connections. If you close l yourself, Serve returns within a
// second.
func (h *Hub) Serve(srv *http.Server, l net.Listener) error {
	if srv == nil || l == nil {
		return errors.New("hub: Serve: nil server or listener")
	}
	why := door.Unfit(srv, l)
	if !h.conf.uses(FastPathDoor) {
		why = "the fast path is turned off"
	}
	if why != "" {
		h.log.Info("Serve leaves accepting to net/http", "because", why)
		return srv.Serve(l)
	}
	r, err := preflight.Check()
	if err != nil {
		return err
	}
	return door.Serve(srv, l, mostDescriptors(r))
}

// mostDescriptors is how many descriptors may be in use when a connection is accepted; negative if they are not
// bounded.
func mostDescriptors(r preflight.Report) int {
	if d := r.Descriptors; d.Soft >= 0 {
		return max(d.Soft-d.Reserve/2, 0)
	}
	return preflight.Unlimited
}
