// Package link holds the WebSocket connections of one process: by epoll where it can, with a goroutine for each
// where it cannot.
package link

import (
	"crypto/tls"
	"net/http"
	"net/netip"

	"github.com/gohubkit/hubkit/internal/wsload"
)

// A Handler is told what happens to the connections, on their shard. See wsload for the rules.
type Handler = wsload.Handler

// Options say where connections go.
type Options struct {
	// Conns is how many there are; they are numbered from 0.
	Conns int
	// Shards is how many parts they are served in; connection i is in i modulo Shards.
	Shards int
	// Host is the URL's host:port, and Addr the address that it was resolved to.
	Host, Addr string
	// TLS is for wss; nil for ws.
	TLS         *tls.Config
	Path        func(i int) string
	Subprotocol string
	Header      http.Header
	// Local is the address that connection i comes from; the zero Addr lets the system pick one.
	Local   func(i int) netip.Addr
	Handler Handler
	// Portable asks for a goroutine for each connection.
	Portable bool
}

// Links are the connections. Dial, Send and Hangup are called on the connection's shard: by its Handler or by Do.
type Links interface {
	// Do runs fn on a shard. It is called from elsewhere, and may return before fn has run.
	Do(shard int, fn func())
	Dial(i int) error
	Send(i int, op wsload.Op, data []byte)
	Hangup(i int, code int)
	// Sockets is the number of open sockets; it is called from anywhere.
	Sockets() int64
	// Close resets what is open, and returns when all goroutines have ended.
	Close()
}

// New makes Links, of which none is dialed yet.
func New(o Options) (Links, error) {
	if haveEpoll && o.TLS == nil && !o.Portable {
		return newEpoll(o)
	}
	return newPortable(o), nil
}
