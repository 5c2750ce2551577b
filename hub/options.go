package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/workerpool"
)

// Option configures a hub. New reports every fault of every option together.
type Option func(*config) error

// WithBroker sets the broker that joins the hub with other nodes. The default is a broker in memory, for a single
// hub. New starts the broker, and Close or Shutdown closes it.
func WithBroker(b broker.Broker) Option {
	return func(c *config) error {
		if b == nil {
			return errors.New("WithBroker: nil")
		}
		c.broker = b
		return nil
	}
}

// WithNode sets the name of this node. The default is a random name. It must differ from the names of all other nodes
// alive, and follows the rules for room names.
//
// A node that restarts under its name replaces its earlier run: members that a crash left in presence are removed
// within seconds. If a node of that name is alive, both log it and keep their members.
func WithNode(id string) Option {
	return func(c *config) error {
		if err := broker.CheckRoom(id); err != nil {
			return fmt.Errorf("WithNode %q: a node's name is made like a room's: %w", id, err)
		}
		c.node = id
		return nil
	}
}

// WithLogger sets the logger of the hub. The default is slog.Default. Tokens and payloads are never logged. Clients
// cannot fill the log: the hub writes at most five records a second with the same level and message. Then one record
// says how many were left out.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("WithLogger: nil")
		}
		c.logger = l
		return nil
	}
}

// WithHeartbeat sets when the hub pings a silent connection, and how long after that it closes the connection. The
// default is 25 s and 10 s. With heartbeat.Disabled() only the next write finds clients that have vanished.
func WithHeartbeat(p heartbeat.Policy) Option {
	return func(c *config) error {
		c.heartbeat = p
		return p.Validate()
	}
}

// WithWorkerPool sets the pool that heavy handlers run on. By default the hub makes one, with the defaults of package
// workerpool, when the first heavy handler is set. Several hubs may share the pool. The program that made the pool
// closes it, after the hub.
func WithWorkerPool(p *workerpool.Pool) Option {
	return func(c *config) error {
		if p == nil {
			return errors.New("WithWorkerPool: nil")
		}
		c.pool = p
		return nil
	}
}

// WithAuthenticator sets a function that identifies the client from the handshake's request: from a cookie, a header
// or a query parameter. By default connections are anonymous until a token says otherwise. f is called in the
// goroutine of the HTTP request. The option may be given once; use OnHandshake for further checks.
//
// Any error refuses the handshake, and its text stays in the log. ErrUnauthorized refuses it with 401, and an
// *HTTPError with its own status. Any other error is no verdict on the client: a context that ended, or a database
// that cannot be reached. The hub logs it, counts it in Stats.Failures, and answers with 503 and a Retry-After. A
// panic, or a nil pointer returned as the error, is answered with 500. An Identity whose ExpiresAt has passed is
// refused with 401.
func WithAuthenticator(f func(*http.Request) (Identity, error)) Option {
	return func(c *config) error {
		switch {
		case f == nil:
			return errors.New("WithAuthenticator: nil")
		case c.authenticate != nil:
			return errors.New("WithAuthenticator: given twice")
		}
		c.authenticate = f
		return nil
	}
}

// WithTokenVerifier sets a function that identifies the client from the token in its hello, for clients that cannot
// set headers. By default tokens are not verified. f is called for every hello, in a goroutine of the connection's
// own, with an empty token if the client sent none. Its Identity replaces that of the authenticator. The option may
// be given once. Plain clients, which send no hello, are refused with 4103.
//
// Any error closes the connection. ErrUnauthorized closes it with 4100, and a *CloseError with its own code. Other
// errors close it as OnConnect describes, so that the client reconnects. ctx ends with the time for the hello, which
// WithHandshakeTimeout sets. A token whose Identity.ExpiresAt has passed closes the connection with 4009.
//
// f is also called for a token that a client sends later, to renew its identity or a Grant, in the goroutine of
// OnJoin. It must name the same user. The new identity replaces the earlier one; in rooms that the client is already
// in, others still see the earlier Info. If f fails, the connection and its expiry stay as they are. The hub answers
// "unavailable" to a *CloseError that allows a reconnect, and to every error that is no verdict. It answers
// "unauthorized" to any other. ctx then ends after the time of WithHandshakeTimeout.
func WithTokenVerifier(f func(ctx context.Context, token string) (Identity, error)) Option {
	return func(c *config) error {
		switch {
		case f == nil:
			return errors.New("WithTokenVerifier: nil")
		case c.verifyToken != nil:
			return errors.New("WithTokenVerifier: given twice")
		}
		c.verifyToken = f
		return nil
	}
}

// WithOriginCheck sets a function that replaces the check of the Origin header. By default the hub allows its own origin
// and those of WithOrigins. f is called in the goroutine of the HTTP request. The option may be given once. A panic
// refuses the handshake with 500.
func WithOriginCheck(f func(*http.Request) bool) Option {
	return func(c *config) error {
		switch {
		case f == nil:
			return errors.New("WithOriginCheck: nil")
		case c.checkOrigin != nil:
			return errors.New("WithOriginCheck: given twice")
		}
		c.checkOrigin = f
		return nil
	}
}

// WithRooms configures the rooms whose names match a pattern, in which * matches any run of characters. If several
// patterns match, the first one given applies. By default rooms have neither history nor presence.
func WithRooms(pattern string, opts ...RoomOption) Option {
	return func(c *config) error {
		r, err := newRule(pattern, opts)
		if err != nil {
			return err
		}
		c.rules = append(c.rules, r)
		return nil
	}
}

// WithOpenRooms lets every connected client join the rooms that match a pattern, and publish in them. By default no room
// is open: a client may do only what OnJoin and OnPublish allow.
func WithOpenRooms(patterns ...string) Option {
	return func(c *config) error {
		if len(patterns) == 0 {
			return errors.New("WithOpenRooms: no pattern given")
		}
		if slices.Contains(patterns, "") {
			return errors.New("WithOpenRooms: empty pattern")
		}
		c.open = append(c.open, patterns...)
		return nil
	}
}

// WithRaw leaves the content of every frame, text or binary, to the application: no envelopes, no hello, no welcome.
// By default clients speak protocol v1. OnMessage receives the frames, from the goroutine that reads the connection.
// Only the server joins rooms, with Conn.Join. New returns an error that matches ErrOption if another option needs
// protocol v1.
func WithRaw() Option {
	return func(c *config) error {
		c.raw = true
		return nil
	}
}

// WithSubprotocols sets the WebSocket subprotocols of a raw hub, the preferred first. By default it has none.
func WithSubprotocols(names ...string) Option {
	return func(c *config) error {
		if len(names) == 0 {
			return errors.New("WithSubprotocols: no name given")
		}
		c.subprotocols = append(c.subprotocols, names...)
		return nil
	}
}

// OutagePolicy decides what Publish does while the broker is unreachable.
type OutagePolicy int

const (
	// OutageRefuse fails at once, with an error that matches broker.ErrUnavailable.
	OutageRefuse OutagePolicy = iota
	// OutageDegrade delivers to this node's own connections in rooms without history, and reports
	// success. In rooms with history, whose promise it could not keep, it is OutageRefuse.
	OutageDegrade
)

// WithOutage sets what Publish does while the broker is unreachable. The default is OutageRefuse. With either policy
// the hub sends clients "stale", and "live" when the broker is back.
func WithOutage(p OutagePolicy) Option {
	return func(c *config) error {
		if p != OutageRefuse && p != OutageDegrade {
			return fmt.Errorf("WithOutage: unknown policy %d", p)
		}
		c.outage = p
		return nil
	}
}

// WithMaxMessage bounds the size of one message from a client, in bytes, and also its size after decompression. The
// default is 64 KiB. A larger message closes the connection with 1009.
func WithMaxMessage(bytes int) Option {
	return positive("WithMaxMessage", bytes, func(c *config) *int { return &c.maxMessage })
}

// WithMaxRooms bounds the rooms of one connection. The default is 128. A further join is refused with too_many_rooms;
// Conn.Join returns ErrTooManyRooms.
func WithMaxRooms(n int) Option {
	return positive("WithMaxRooms", n, func(c *config) *int { return &c.maxRooms })
}

// WithBacklog bounds the backlog of one slow consumer, in messages and in bytes. The default is 256 messages and 1
// MiB. Above it, the Overflow policy of the connection's rooms applies. If that does not help, the hub closes the
// connection with 4001. If the hub is short of memory, it closes the connection earlier: see WithMemoryBudget.
func WithBacklog(messages, bytes int) Option {
	return both(
		positive("WithBacklog: messages", messages, func(c *config) *int { return &c.backlogMessages }),
		positive("WithBacklog: bytes", bytes, func(c *config) *int { return &c.backlogBytes }))
}

// WithRateLimit bounds how many messages a second a connection may send, and how many at once. The default is 100 a
// second and 200 at once. A message above it is refused with rate_limited. If the client continues to exceed it, the
// hub closes the connection with 4003. A raw hub closes it at once. Pings count as messages, and so do pongs that
// answer no ping of the hub.
func WithRateLimit(perSecond float64, burst int) Option {
	return func(c *config) error {
		if !(perSecond > 1e-9 && perSecond <= 1e6) || burst <= 0 { // below that the time between two messages is no Duration
			return fmt.Errorf("WithRateLimit: %v a second with a burst of %d: both must be positive, the rate above a billionth and at most a million", perSecond, burst)
		}
		if float64(burst)/perSecond > maxBurst.Seconds() {
			return fmt.Errorf("WithRateLimit: %v a second with a burst of %d: the burst would take more than %v", perSecond, burst, maxBurst)
		}
		c.messages = rate.New(perSecond, burst)
		return nil
	}
}

// maxBurst keeps sums of times from overflowing.
const maxBurst = 10_000 * 24 * time.Hour

// WithByteRateLimit bounds how many bytes a second a connection may send, and how many at once. By default the only
// bound is the product of WithRateLimit and WithMaxMessage, 6.4 MB/s. A message counts with its size on the wire,
// including headers and the pings within it, or with its decompressed size if that is more. Pings and pongs count
// too.
//
// A message above the bound is treated as WithRateLimit says. A client is closed when it has sent as much again as
// the burst. The burst must hold a message of WithMaxMessage.
func WithByteRateLimit(perSecond, burst int) Option {
	return func(c *config) error {
		if perSecond <= 0 || burst <= 0 {
			return fmt.Errorf("WithByteRateLimit: %d a second with a burst of %d: both must be positive", perSecond, burst)
		}
		if float64(burst)/float64(perSecond) > maxBurst.Seconds() {
			return fmt.Errorf("WithByteRateLimit: %d a second with a burst of %d: the burst would take more than %v", perSecond, burst, maxBurst)
		}
		c.bytes = rate.New(float64(perSecond), burst)
		return nil
	}
}

// WithoutRateLimit lets a connection send as many messages as it can. By default WithRateLimit bounds them.
// WithByteRateLimit still holds.
func WithoutRateLimit() Option {
	return func(c *config) error {
		c.messages = rate.Limit{}
		return nil
	}
}

// WithMaxAge sets the maximum connection age. The hub closes older connections with 4006 and a hint to reconnect at
// once. By default there is no maximum. Load balancers place a connection only when it is made. If there is
// no maximum, a new node therefore stays empty until clients happen to reconnect.
//
// Each connection has its own age, random between three quarters of d and d, and WithMaxAgePace bounds how many end
// at once. Connections that were made together therefore do not end together. A connection that waits for an answer
// from the worker pool is closed after that answer. d is at most 24 days.
func WithMaxAge(d time.Duration) Option {
	return lifetime("WithMaxAge", d, func(c *config) *time.Duration { return &c.maxAge })
}

// WithMaxIdle closes a connection that has sent no message for d, with 4007, in the same way as WithMaxAge. By
// default no connection is closed as idle. Pings and pongs are no messages. Messages to the client do not count, and
// neither does the time in which an answer from the worker pool is outstanding. Do not set it if clients only listen.
// d is at most 24 days.
func WithMaxIdle(d time.Duration) Option {
	return lifetime("WithMaxIdle", d, func(c *config) *time.Duration { return &c.maxIdle })
}

// maxLifetime is what 32 bits of milliseconds tell apart from the past.
const maxLifetime = 24 * 24 * time.Hour

func lifetime(name string, d time.Duration, field func(*config) *time.Duration) Option {
	return func(c *config) error {
		if d < time.Millisecond || d > maxLifetime {
			return fmt.Errorf("%s: %v is not between a millisecond and %v", name, d, maxLifetime)
		}
		*field(c) = d
		return nil
	}
}

// WithMaxAgePace bounds how many connections a second are closed for age or idleness, spread over the second. The default is
// 100. If more connections exceed their age than this rate allows, the rest stay open until their turn.
func WithMaxAgePace(perSecond int) Option {
	return positive("WithMaxAgePace", perSecond, func(c *config) *int { return &c.maxAgePace })
}

// WithRoomLinger sets how long the node stays subscribed to a room after its last local member has left. The default is 1 s.
// Zero unsubscribes at once.
func WithRoomLinger(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("WithRoomLinger: %v is negative", d)
		}
		c.linger = d
		return nil
	}
}

// WithWriteTimeout sets how long a connection's socket may accept no data while some is waiting for it. The default
// is 5 s. After that the hub ends the connection.
func WithWriteTimeout(d time.Duration) Option {
	return positive("WithWriteTimeout", d, func(c *config) *time.Duration { return &c.writeTimeout })
}

// WithReadTimeout sets how long the rest of a message may take to arrive after its start. The default is 30 s. After
// that the hub ends the connection.
func WithReadTimeout(d time.Duration) Option {
	return positive("WithReadTimeout", d, func(c *config) *time.Duration { return &c.readTimeout })
}

// WithHandshakeTimeout sets how long a client of the subprotocol may take to send its hello. The default is 10 s. The
// http.Server's ReadHeaderTimeout bounds the HTTP request before it.
func WithHandshakeTimeout(d time.Duration) Option {
	return positive("WithHandshakeTimeout", d, func(c *config) *time.Duration { return &c.handshakeTimeout })
}

// WithCloseTimeout sets how long the hub waits for the other side's close frame after its own. The default is 2 s.
func WithCloseTimeout(d time.Duration) Option {
	return positive("WithCloseTimeout", d, func(c *config) *time.Duration { return &c.closeTimeout })
}

// WithDrain sets the window over which Shutdown closes the connections. The default is 30 s.
func WithDrain(window time.Duration) Option {
	return positive("WithDrain", window, func(c *config) *time.Duration { return &c.drain })
}

// WithCompression offers permessage-deflate. By default nothing is compressed. A room's message is compressed once
// for all recipients, at a level of compress/flate (flate.BestSpeed is enough). Messages shorter than minSize bytes
// are sent uncompressed. It trades server CPU for network bandwidth: leave it off unless messages are large.
func WithCompression(level, minSize int) Option {
	return both(
		func(c *config) error {
			c.compress, c.compressLevel = true, level
			return nil
		},
		positive("WithCompression: minSize", minSize, func(c *config) *int { return &c.compressMin }))
}

func positive[T int | time.Duration](name string, v T, field func(*config) *T) Option {
	return func(c *config) error {
		if v <= 0 {
			return fmt.Errorf("%s: %v is not positive", name, v)
		}
		*field(c) = v
		return nil
	}
}

func both(a, b Option) Option {
	return func(c *config) error { return errors.Join(a(c), b(c)) }
}
