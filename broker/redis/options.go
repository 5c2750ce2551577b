package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"net"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/broker"
)

// The defaults of New.
const (
	DefaultPrefix          = "hubkit"
	DefaultClientName      = "hubkit"
	DefaultDialTimeout     = time.Second
	DefaultIOTimeout       = 4 * time.Second
	DefaultPresenceTTL     = 60 * time.Second
	DefaultPresenceRefresh = 25 * time.Second
	DefaultMetadataTTL     = 30 * 24 * time.Hour
	DefaultIdempotencyKeys = 10_000
	DefaultPublisherKeys   = 1_000
)

// Option is a setting of New.
type Option func(*config)

type config struct {
	addrs            []string
	master           string
	sentinelUser     string
	sentinelPassword string
	user, password   string
	ask              func(context.Context) (user, password string, err error)
	askSet           bool
	log              *slog.Logger
	tls              *tls.Config
	tlsSet           bool
	database         int
	prefix           string
	clientName       string
	dialTimeout      time.Duration
	ioTimeout        time.Duration
	publishConns     int
	subscribeConns   int
	ttl, refresh     time.Duration
	metadataTTL      time.Duration
	serviceKeys      int
	publisherKeys    int
	backoff          *backoff.Policy
}

// WithSentinel says that the addresses are those of Sentinels, and that the master called name is the
// server to use.
func WithSentinel(name string) Option {
	return func(c *config) {
		c.master = name
		if name == "" {
			c.master = " " // an error, not a server without Sentinel
		}
	}
}

// WithSentinelAuth sets the ACL user and the password for the Sentinels; an empty user is the default one.
func WithSentinelAuth(user, password string) Option {
	return func(c *config) { c.sentinelUser, c.sentinelPassword = user, password }
}

// WithAuth sets the ACL user and the password; an empty user is the default one.
func WithAuth(user, password string) Option {
	return func(c *config) { c.user, c.password = user, password }
}

// WithCredentials has ask return the ACL user and the password for each connection that is made, in place of WithAuth, so that
// they can change while the broker runs. An empty user is the default one. Redis keeps connections that are open, so the old
// password may go as soon as ask returns the new one.
//
// ask is called from a goroutine of the broker, by one at a time: connections that are made together share what it returns.
// Its context ends after 5 s, and when the broker is closed. An error, a panic or a function that does not return fails the
// connection, which is then tried again. Close waits for a call under way. Sentinels have WithSentinelAuth.
func WithCredentials(ask func(ctx context.Context) (user, password string, err error)) Option {
	return func(c *config) { c.ask, c.askSet = ask, true }
}

// WithLogger sets where the broker logs why it has lost Redis, what Redis refuses, and that all is well again. The default is
// slog.Default(). Passwords and payloads are never logged.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.log = l } }

// WithTLS makes all connections use TLS, those to Sentinels too. The configuration must not be nil, and must
// not be changed afterwards.
func WithTLS(t *tls.Config) Option {
	return func(c *config) { c.tls, c.tlsSet = t, true }
}

// WithDatabase selects a database. The default is 0, and a cluster has no other. Channels have no database in Redis, so those
// of another database end with "@" and its number: applications in different databases do not hear each other.
func WithDatabase(n int) Option { return func(c *config) { c.database = n } }

// WithPrefix sets what the names of all keys and channels begin with. It must not contain braces, spaces or
// control characters. The default is "hubkit".
func WithPrefix(prefix string) Option { return func(c *config) { c.prefix = prefix } }

// WithClientName sets the name that CLIENT LIST shows, without spaces. The default is "hubkit".
func WithClientName(name string) Option { return func(c *config) { c.clientName = name } }

// WithDialTimeout bounds the making of a connection, its handshakes included. The default is 1 s.
func WithDialTimeout(d time.Duration) Option { return func(c *config) { c.dialTimeout = d } }

// WithIOTimeout sets how long the server may be silent before a connection counts as broken. The default
// is 4 s. Silence is noticed within 5/4 of it.
func WithIOTimeout(d time.Duration) Option { return func(c *config) { c.ioTimeout = d } }

// WithPublishConns sets how many connections to each server carry what is published, and how many more all other
// commands: a power of two from 1 to 256. What is published to a room is always on one of them. The default is 1; all
// goroutines share them.
func WithPublishConns(n int) Option { return func(c *config) { c.publishConns = n } }

// WithSubscribeConns sets how many connections to each server carry messages to this node, from 1 to
// 64. A room is always on one of them. The default is 1.
func WithSubscribeConns(n int) Option { return func(c *config) { c.subscribeConns = n } }

// WithPresenceTTL sets after how long the members and the entry of a node that is gone vanish, and how often a
// node refreshes its own; refresh must be at most half of ttl. The defaults are 60 s and 25 s.
func WithPresenceTTL(ttl, refresh time.Duration) Option {
	return func(c *config) { c.ttl, c.refresh = ttl, refresh }
}

// WithIdempotencyKeys sets how many idempotency keys are remembered, whatever their TTL: those of the service in each room,
// and those of each other publisher in all rooms together, in a cluster in each room. The oldest is forgotten first. The
// defaults are 10,000 and 1,000.
func WithIdempotencyKeys(service, publisher int) Option {
	return func(c *config) { c.serviceKeys, c.publisherKeys = service, publisher }
}

// WithMetadataTTL sets how long the epoch and the newest offset of a room with messages outlive the last publication or
// reading there. Where a room's retention is longer, that counts. The default is 30 days.
func WithMetadataTTL(d time.Duration) Option { return func(c *config) { c.metadataTTL = d } }

// WithBackoff sets how long to wait between attempts to come back to a server. The default begins
// with U(0, 100 ms) and grows to U(0, 2 s).
func WithBackoff(p *backoff.Policy) Option { return func(c *config) { c.backoff = p } }

func reconnectDefault() *backoff.Policy {
	p, err := backoff.New(backoff.WithBase(100*time.Millisecond), backoff.WithFirst(100*time.Millisecond),
		backoff.WithCap(2*time.Second), backoff.WithResetAfter(10*time.Second))
	if err != nil {
		panic(err)
	}
	return p
}

// configure applies the options and reports every fault at once.
func configure(addrs []string, opts []Option) (config, error) {
	c := config{
		addrs:          addrs,
		prefix:         DefaultPrefix,
		clientName:     DefaultClientName,
		dialTimeout:    DefaultDialTimeout,
		ioTimeout:      DefaultIOTimeout,
		publishConns:   1,
		subscribeConns: 1,
		ttl:            DefaultPresenceTTL,
		refresh:        DefaultPresenceRefresh,
		metadataTTL:    DefaultMetadataTTL,
		serviceKeys:    DefaultIdempotencyKeys,
		publisherKeys:  DefaultPublisherKeys,
		backoff:        reconnectDefault(),
		log:            slog.Default(),
	}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("%w: option %d is nil", broker.ErrInvalid, i+1))
			continue
		}
		o(&c)
	}
	if err := errors.Join(append(faults, c.faults()...)...); err != nil {
		return config{}, fmt.Errorf("redis: %w", err)
	}
	return c, nil
}

func (c *config) faults() (faults []error) {
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("%w: "+format, append([]any{broker.ErrInvalid}, args...)...))
		}
	}
	check(len(c.addrs) > 0, "no address")
	for _, a := range c.addrs {
		_, port, err := net.SplitHostPort(a)
		check(err == nil && port != "", "address %q, want host:port", a)
	}
	check(c.master != " ", "name of the master is empty")
	check(c.master != "" || c.sentinelUser == "" && c.sentinelPassword == "", "credentials for Sentinels without WithSentinel")
	check(c.sentinelUser == "" || c.sentinelPassword != "", "user %q of the Sentinels without a password", c.sentinelUser)
	check(c.user == "" || c.password != "", "user %q without a password", c.user)
	check(!c.askSet || c.ask != nil, "function for credentials is nil")
	check(!c.askSet || c.user == "" && c.password == "", "both WithAuth and WithCredentials")
	check(c.log != nil, "logger is nil")
	check(!c.tlsSet || c.tls != nil, "TLS configuration is nil")
	check(c.database >= 0, "database %d", c.database)
	check(validPrefix(c.prefix), "prefix %q", c.prefix)
	check(c.clientName != "" && !strings.ContainsFunc(c.clientName, func(r rune) bool { return r <= ' ' || r > '~' }),
		"client name %q", c.clientName)
	check(c.dialTimeout > 0, "dial timeout of %v", c.dialTimeout)
	check(c.ioTimeout > 0, "I/O timeout of %v", c.ioTimeout)
	check(c.publishConns >= 1 && c.publishConns <= 256 && bits.OnesCount(uint(c.publishConns)) == 1,
		"%d connections to publish, want a power of two from 1 to 256", c.publishConns)
	check(c.subscribeConns >= 1 && c.subscribeConns <= 64, "%d connections to subscribe, want 1 to 64", c.subscribeConns)
	check(c.ttl >= time.Millisecond && c.refresh > 0 && c.refresh <= c.ttl/2,
		"presence TTL of %v, refreshed every %v: want at least twice as long", c.ttl, c.refresh)
	check(c.metadataTTL >= time.Millisecond, "metadata TTL of %v", c.metadataTTL)
	check(c.serviceKeys > 0 && c.publisherKeys > 0, "%d idempotency keys of the service, %d of a publisher",
		c.serviceKeys, c.publisherKeys)
	check(c.backoff != nil, "backoff policy is nil")
	return faults
}
