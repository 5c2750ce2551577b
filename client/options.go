package client

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/backoff"
)

// Defaults of a Client.
const (
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultWriteTimeout     = 5 * time.Second
	// DefaultPingInterval holds where the server's welcome names no interval.
	DefaultPingInterval = 25 * time.Second
	DefaultPongTimeout  = 10 * time.Second
	DefaultQueue        = 1024    // requests
	DefaultQueueBytes   = 8 << 20 // of data
	DefaultRetryWindow  = 4 * time.Minute
	// DefaultRate and DefaultBurst hold if the server's welcome names no rate.
	DefaultRate      = 90 // messages a second
	DefaultBurst     = 100
	DefaultInbox     = 256     // events
	DefaultReadLimit = 1 << 20 // bytes
)

// Option sets one thing of a Client.
type Option func(*config)

// DialFunc connects to addr, a host and a port, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// WithBackoff sets how long to wait between tries to connect; the default is backoff.Default(). What the
// server says in a close frame, a goaway or a Retry-After header overrides it.
func WithBackoff(p *backoff.Policy) Option {
	return func(c *config) { c.policy, c.policySet = p, true }
}

// WithToken has f called before every try to connect. The token is sent in the hello frame and, unless
// WithHeader sets that header, as "Authorization: Bearer". An error of f counts as a failed try; one
// that backoff.IsPermanent finds ends Run. f must return when its context is done, after the handshake
// timeout at the latest.
func WithToken(f func(context.Context) (string, error)) Option {
	return func(c *config) { c.token, c.tokenSet = f, true }
}

// WithHeader sets headers of the handshake request. They are copied.
func WithHeader(h http.Header) Option { return func(c *config) { c.header = h.Clone() } }

// WithCookies sets the jar that cookies are taken from and kept in, such as that of the http.Client which has logged in;
// those that WithHeader names are sent too. The default is an empty jar of this client's own, so that a load balancer
// that goes by a cookie brings the client back to its node.
func WithCookies(jar http.CookieJar) Option { return func(c *config) { c.jar, c.jarSet = jar, true } }

// WithDialer sets what connects to the server, or to the proxy that the environment names
// (http.ProxyFromEnvironment). The default is a net.Dialer.
func WithDialer(f DialFunc) Option { return func(c *config) { c.dial, c.dialSet = f, true } }

// WithTLS sets the TLS configuration of wss connections. It is copied.
func WithTLS(t *tls.Config) Option {
	return func(c *config) { c.tls, c.tlsSet = t.Clone(), true }
}

// WithHeartbeat sets after how long a silence of the server the client pings it, and how long it then
// waits for a sign of life before it drops the connection. The default interval is the one at which
// the server says it pings, 25 s where it does not say; the default timeout is 10 s.
func WithHeartbeat(interval, timeout time.Duration) Option {
	return func(c *config) { c.interval, c.timeout, c.heartbeatSet = interval, timeout, true }
}

// WithHandshakeTimeout bounds the time from the dial to the server's welcome, and the time a token
// may take; the default is 10 s.
func WithHandshakeTimeout(d time.Duration) Option {
	return func(c *config) { c.handshakeTimeout = d }
}

// WithWriteTimeout bounds the time the network may take to accept a frame; the default is 5 s.
func WithWriteTimeout(d time.Duration) Option { return func(c *config) { c.writeTimeout = d } }

// WithQueue bounds the requests that wait to be sent or answered, in number and in bytes of their data;
// the default is 1,024 and 8 MiB. Beyond it, requests fail with ErrQueueFull.
func WithQueue(requests, bytes int) Option {
	return func(c *config) { c.queueLen, c.queueBytes = requests, bytes }
}

// WithRetryWindow sets for how long after it was first sent a publication whose answer was lost is sent
// again. It must be shorter than the time for which the server remembers idempotency keys, 5 minutes by
// default; the default is 4 minutes. Zero means never.
func WithRetryWindow(d time.Duration) Option { return func(c *config) { c.retryWindow = d } }

// WithRate bounds what the client sends, by a token bucket that each connection starts full; the rest waits. The client also
// keeps to nine tenths of the rate and burst that the server announces, whichever is less. The default is what the server
// announces, and 90 messages a second with a burst of 100 if it announces none. math.Inf(1) lifts the client's own bound.
func WithRate(perSecond float64, burst int) Option {
	return func(c *config) { c.rate, c.burst, c.rateSet = perSecond, burst, true }
}

// WithInbox sets how many events may wait for their callbacks; the default is 256. When it is full the
// client stops reading from the server.
func WithInbox(events int) Option { return func(c *config) { c.inbox = events } }

// WithReadLimit sets the size of the largest message that is taken from the server, in bytes after decompression; the
// default is 1 MiB. A larger one is dropped. In a room with history it becomes a Gap; in another room the subscription's
// OnError is told ErrTooLarge; a request whose answer is larger fails with ErrTooLarge; anything else is the state Dropped.
// With WithCompression it also ends the connection, with 1009, and the client goes on behind it.
func WithReadLimit(bytes int64) Option { return func(c *config) { c.readLimit = bytes } }

// WithCompression offers the server permessage-deflate (RFC 7692).
func WithCompression() Option { return func(c *config) { c.compression = true } }

// WithLogger sets where the client logs; the default is slog.Default().
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.log, c.logSet = l, true } }

// OnState has f called when the connection changes.
func OnState(f func(State)) Option { return func(c *config) { c.onState, c.onStateSet = f, true } }

// OnMessage has f called with messages to this connection, which have no room. Without it they
// are dropped.
func OnMessage(f func(Message)) Option {
	return func(c *config) { c.onMessage, c.onMessageSet = f, true }
}

// OnRoomMessage has f called with messages of rooms that the server has joined for the client and that
// are not subscribed. Positions of such rooms are not kept: after a reconnect it is the server that
// joins them again. Without it they are dropped.
func OnRoomMessage(f func(Message)) Option {
	return func(c *config) { c.onRoomMessage, c.onRoomMessageSet = f, true }
}
