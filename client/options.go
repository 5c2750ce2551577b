package client

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
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

// Option configures a Client. New reports every fault of every option together.
type Option func(*config) error

// DialFunc connects to addr, a host and a port, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// WithBackoff sets how long to wait between tries to connect. The default is backoff.Default(). What the server says in a
// close frame, a goaway or a Retry-After header comes before it.
func WithBackoff(p *backoff.Policy) Option {
	return func(c *config) error {
		c.policy = p
		return require(p != nil, "WithBackoff: nil policy")
	}
}

// WithToken has f called before every try to connect, in Run's goroutine. The token is sent in the hello frame and, unless
// WithHeader sets that header, as "Authorization: Bearer". An error of f counts as a failed try; one that backoff.IsPermanent
// finds ends Run. f must return when its context is done, which is after the handshake timeout at the latest.
//
// f is also called while the client is connected: when the server asks for a new token, and, if the server has said when the
// identity expires, at a random moment between 80 % and 90 % of that time. The client sends the token over the connection,
// which goes on. f is then called in a goroutine of its own, and never while another call of it or of a RoomToken function
// lasts. An error of f is logged, and f is called again after 0.5 s up to 30 s, unless backoff.IsPermanent finds it. If the
// server does not accept the token, f is called once more. At the end of an identity without a new token the server closes with
// 4009, and the client comes back with a new one.
func WithToken(f func(context.Context) (string, error)) Option {
	return func(c *config) error {
		c.token = f
		return require(f != nil, "WithToken: nil function")
	}
}

// WithHeader sets headers of the handshake request. They are copied. Those that the handshake itself sets are refused.
func WithHeader(h http.Header) Option {
	h = h.Clone()
	return func(c *config) error {
		c.header = h
		for name := range h {
			if slices.Contains(handshakeHeaders, http.CanonicalHeaderKey(name)) {
				return invalid("WithHeader: %s belongs to the handshake", name)
			}
		}
		return nil
	}
}

// WithCookies sets the jar that cookies are taken from and kept in, such as that of the http.Client which has logged in;
// those that WithHeader names are sent too. The default is an empty jar of this client's own, so that a load balancer
// that goes by a cookie brings the client back to its node.
func WithCookies(jar http.CookieJar) Option {
	return func(c *config) error {
		c.jar = jar
		return require(jar != nil, "WithCookies: nil jar")
	}
}

// WithDialer sets what connects to the server, or to the proxy that the environment names (http.ProxyFromEnvironment). The
// default is a net.Dialer.
func WithDialer(f DialFunc) Option {
	return func(c *config) error {
		c.dial = f
		return require(f != nil, "WithDialer: nil function")
	}
}

// WithTLS sets the TLS configuration of wss connections. It is copied.
func WithTLS(t *tls.Config) Option {
	t = t.Clone()
	return func(c *config) error {
		c.tls = t
		return require(t != nil, "WithTLS: nil configuration")
	}
}

// WithHeartbeat sets after how long a silence of the server the client pings it, and how long it then waits for a sign of
// life before it drops the connection. The default interval is the one at which the server says it pings, or 25 s if it
// does not say. The default timeout is 10 s.
func WithHeartbeat(interval, timeout time.Duration) Option {
	return func(c *config) error {
		c.interval, c.timeout, c.heartbeatSet = interval, timeout, true
		return require(interval > 0 && timeout > 0,
			"WithHeartbeat: interval %v and timeout %v, must be positive", interval, timeout)
	}
}

// WithHandshakeTimeout bounds the time from the dial to the server's welcome, and the time a token may take. The default is
// 10 s.
func WithHandshakeTimeout(d time.Duration) Option {
	return func(c *config) error {
		c.handshakeTimeout = d
		return require(d > 0, "WithHandshakeTimeout: %v, must be positive", d)
	}
}

// WithWriteTimeout bounds the time the network may take to accept a frame. The default is 5 s. Beyond it the connection is
// lost.
func WithWriteTimeout(d time.Duration) Option {
	return func(c *config) error {
		c.writeTimeout = d
		return require(d > 0, "WithWriteTimeout: %v, must be positive", d)
	}
}

// WithQueue bounds the requests that wait to be sent or answered, in number and in bytes of their data. The default is 1,024
// and 8 MiB. Beyond it, requests fail with ErrQueueFull.
func WithQueue(requests, bytes int) Option {
	return func(c *config) error {
		c.queueLen, c.queueBytes = requests, bytes
		return require(requests > 0 && bytes > 0, "WithQueue: %d requests and %d bytes, must be positive", requests, bytes)
	}
}

// WithRetryWindow sets for how long after it was first sent a publication whose answer was lost is sent again. The default
// is 4 minutes; zero means never. It must be shorter than the time for which the server remembers idempotency keys, which
// is 5 minutes by default.
func WithRetryWindow(d time.Duration) Option {
	return func(c *config) error {
		c.retryWindow = d
		return require(d >= 0, "WithRetryWindow: %v, must not be negative", d)
	}
}

// WithRate bounds what the client sends, by a token bucket that each connection starts full; the rest waits. The client also
// keeps to nine tenths of the rate and burst that the server announces, whichever is less. The default is what the server
// announces, and 90 messages a second with a burst of 100 if it announces none. math.Inf(1) lifts the client's own bound.
func WithRate(perSecond float64, burst int) Option {
	return func(c *config) error {
		c.rate, c.burst, c.rateSet = perSecond, burst, true
		return require(perSecond > 0 && burst > 0, "WithRate: %v per second and a burst of %d, must be positive", perSecond, burst)
	}
}

// WithInbox sets how many events may wait for their callbacks. The default is 256. When it is full the client stops reading
// from the server.
func WithInbox(events int) Option {
	return func(c *config) error {
		c.inbox = events
		return require(events > 0, "WithInbox: %d events, must be positive", events)
	}
}

// WithReadLimit sets the size of the largest message that is taken from the server, in bytes after decompression. The
// default is 1 MiB. A larger one is dropped. In a room with history it becomes a Gap; in another room the subscription's
// OnError is told ErrTooLarge; a request whose answer is larger fails with ErrTooLarge; anything else is the state Dropped.
// With WithCompression it also ends the connection, with 1009, and the client goes on behind it.
func WithReadLimit(bytes int64) Option {
	return func(c *config) error {
		c.readLimit = bytes
		return require(bytes > 0, "WithReadLimit: %d bytes, must be positive", bytes)
	}
}

// WithCompression offers the server permessage-deflate (RFC 7692). Without it nothing is compressed.
func WithCompression() Option {
	return func(c *config) error {
		c.compression = true
		return nil
	}
}

// WithLogger sets where the client logs. The default is slog.Default(). Tokens and payloads are never logged.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		c.log = l
		return require(l != nil, "WithLogger: nil logger")
	}
}

// OnState has f called when the state of the connection changes, in order with all other callbacks. The last call, with
// Closed, comes from the goroutine of Run.
func OnState(f func(State)) Option {
	return func(c *config) error {
		c.onState = f
		return require(f != nil, "OnState: nil function")
	}
}

// OnMessage has f called with messages to this connection, which have no room. Without it they are dropped.
func OnMessage(f func(Message)) Option {
	return func(c *config) error {
		c.onMessage = f
		return require(f != nil, "OnMessage: nil function")
	}
}

// OnRoomMessage has f called with messages of rooms that the server has put the client into and that are not subscribed.
// Without it they are dropped. After a reconnect the server decides whether it puts the client there again. If it does, the
// room goes on where it was left. The options are for all of these rooms: OnGap is told of lost messages, OnError of the
// room's end with a [*LeftError], and RoomToken gives the tokens for them. Other options are refused: they do not say which
// room they are about.
func OnRoomMessage(f func(Message), opts ...SubOption) Option {
	return func(c *config) error {
		c.onRoomMessage, c.roomOptions = f, opts
		if f == nil {
			return invalid("OnRoomMessage: nil function")
		}
		return checkRoomOptions(opts)
	}
}

func checkRoomOptions(opts []SubOption) error {
	var s Subscription
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, invalid("OnRoomMessage: option %d is nil", i))
			continue
		}
		faults = append(faults, o(&s))
	}
	good := s.history == 0 && s.next.IsZero() && s.onPresence == nil && s.onChanged == nil
	return errors.Join(append(faults, require(good, "OnRoomMessage: the options can be OnGap, OnError and RoomToken"))...)
}

// OnServerJoin has f called when the server has put the client into a room, before the first message of it. The subscription
// tells the room and the position, and can be ended with Unsubscribe. f is not called again when the server puts the client
// there after a reconnect. Subscribe makes such a room one of the client's own.
func OnServerJoin(f func(*Subscription)) Option {
	return func(c *config) error {
		c.onServerJoin = f
		return require(f != nil, "OnServerJoin: nil function")
	}
}

// require returns the fault of an option, unless all is well.
func require(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return invalid(format, args...)
}
