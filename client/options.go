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
	// DefaultPingInterval applies if the server's welcome names no interval.
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

// WithBackoff sets the delays between connection attempts. The default is backoff.Default(). A delay that the server
// names in a close frame, a goaway or a Retry-After header takes precedence.
func WithBackoff(p *backoff.Policy) Option {
	return func(c *config) error {
		c.policy = p
		return require(p != nil, "WithBackoff: nil policy")
	}
}

// WithToken sets a function that returns the token. By default there is none. The client calls f before every
// connection attempt, in Run's goroutine. It sends the token in the hello frame and, unless WithHeader sets that
// header, as "Authorization: Bearer". An error of f counts as a failed attempt; an error that backoff.IsPermanent
// finds ends Run. f must return when its context is done, which is after the handshake timeout at the latest.
//
// The client also calls f while it is connected: when the server asks for a new token, and before the identity
// expires. If the server has said when that is, the client picks a random moment between 80 % and 90 % of that time.
// It sends the token over the open connection. This call of f has its own goroutine, and never overlaps another call
// of f or of a RoomToken function.
//
// An error of f is then logged, and f is called again after 0.5 s up to 30 s, unless backoff.IsPermanent finds the
// error. If the server does not accept the token, f is called once more. If the identity expires without a new token,
// the server closes with 4009, and the client reconnects with a new one.
func WithToken(f func(context.Context) (string, error)) Option {
	return func(c *config) error {
		c.token = f
		return require(f != nil, "WithToken: nil function")
	}
}

// WithHeader sets headers of the handshake request. By default there are none. They are copied. New refuses headers
// that the handshake itself sets.
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

// WithCookies sets the cookie jar of the handshake, such as the jar of the http.Client that has logged in. The client
// also sends the cookies that WithHeader names. The default is an empty jar of this client's own, so that a load
// balancer with cookie affinity routes the client back to its node.
func WithCookies(jar http.CookieJar) Option {
	return func(c *config) error {
		c.jar = jar
		return require(jar != nil, "WithCookies: nil jar")
	}
}

// WithDialer sets the function that connects to the server, or to the proxy that the environment names
// (http.ProxyFromEnvironment). The default is a net.Dialer.
func WithDialer(f DialFunc) Option {
	return func(c *config) error {
		c.dial = f
		return require(f != nil, "WithDialer: nil function")
	}
}

// WithTLS sets the TLS configuration of wss connections. The default is that of package tls. t is copied.
func WithTLS(t *tls.Config) Option {
	t = t.Clone()
	return func(c *config) error {
		c.tls = t
		return require(t != nil, "WithTLS: nil configuration")
	}
}

// WithHeartbeat sets when the client pings a silent server, and how long it then waits before it gives up the
// connection. The default interval is the server's own ping interval, or 25 s if the server names none. The default
// timeout is 10 s.
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

// WithWriteTimeout bounds the time in which the network must accept a frame. The default is 5 s. If it passes, the
// connection is lost.
func WithWriteTimeout(d time.Duration) Option {
	return func(c *config) error {
		c.writeTimeout = d
		return require(d > 0, "WithWriteTimeout: %v, must be positive", d)
	}
}

// WithQueue bounds the requests that wait to be sent or answered, in number and in bytes of their data. The default
// is 1,024 requests and 8 MiB. When the queue is full, requests fail with ErrQueueFull.
func WithQueue(requests, bytes int) Option {
	return func(c *config) error {
		c.queueLen, c.queueBytes = requests, bytes
		return require(requests > 0 && bytes > 0, "WithQueue: %d requests and %d bytes, must be positive", requests, bytes)
	}
}

// WithRetryWindow sets how long the client resends a publication whose answer was lost, counted from its first send.
// The default is 4 minutes; zero means never. It must be shorter than the time for which the server remembers
// idempotency keys, which is 5 minutes by default.
func WithRetryWindow(d time.Duration) Option {
	return func(c *config) error {
		c.retryWindow = d
		return require(d >= 0, "WithRetryWindow: %v, must not be negative", d)
	}
}

// WithRate bounds how many messages a second the client sends, by a token bucket that each connection starts full.
// Messages above the rate wait. The client also keeps to nine tenths of the rate and burst that the server announces,
// if that is less. The default is the server's announcement, or 90 messages a second with a burst of 100 if it
// announces none. math.Inf(1) lifts the client's own bound.
func WithRate(perSecond float64, burst int) Option {
	return func(c *config) error {
		c.rate, c.burst, c.rateSet = perSecond, burst, true
		return require(perSecond > 0 && burst > 0, "WithRate: %v per second and a burst of %d, must be positive", perSecond, burst)
	}
}

// WithInbox sets how many events may wait for their callbacks. The default is 256. When the inbox is full, the client
// stops reading from the server.
func WithInbox(events int) Option {
	return func(c *config) error {
		c.inbox = events
		return require(events > 0, "WithInbox: %d events, must be positive", events)
	}
}

// WithReadLimit sets the size of the largest message that the client accepts, in bytes after decompression. The
// default is 1 MiB. The client drops a larger message.
//
//   - In a room with history the message becomes a Gap.
//   - In another room the subscription's OnError receives ErrTooLarge.
//   - A request whose answer is larger fails with ErrTooLarge.
//   - Any other message is reported as the state Dropped.
//
// With WithCompression it also closes the connection with 1009. The client reconnects and continues behind that
// message.
func WithReadLimit(bytes int64) Option {
	return func(c *config) error {
		c.readLimit = bytes
		return require(bytes > 0, "WithReadLimit: %d bytes, must be positive", bytes)
	}
}

// WithCompression offers the server permessage-deflate (RFC 7692). By default nothing is compressed.
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

// OnState sets a function that is called when the state of the connection changes, in order with all other callbacks.
// The default is none. The last call, with Closed, comes from the goroutine of Run.
func OnState(f func(State)) Option {
	return func(c *config) error {
		c.onState = f
		return require(f != nil, "OnState: nil function")
	}
}

// OnMessage sets a function that is called with messages to this connection, which have no room. By default they are
// dropped.
func OnMessage(f func(Message)) Option {
	return func(c *config) error {
		c.onMessage = f
		return require(f != nil, "OnMessage: nil function")
	}
}

// OnRoomMessage sets a function that is called with messages of rooms that the server has put the client into and
// that have no subscription. By default they are dropped. After a reconnect the server decides whether it puts the
// client there again. If it does, the client resumes the room at its position.
//
// The options apply to all of these rooms. OnGap receives lost messages, OnError receives a [*LeftError] when a room
// ends, and RoomToken returns their tokens. New refuses other options, because they do not name their room.
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

// OnServerJoin sets a function that is called when the server has put the client into a room, before the room's first
// message. The default is none. The subscription names the room and the position, and Unsubscribe ends it. If the server
// puts the client there again after a reconnect, f is not called. Subscribe turns such a room into one of the client's
// own.
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
