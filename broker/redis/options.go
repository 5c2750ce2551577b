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

// Option configures a Broker. New reports every fault of every option together.
type Option func(*config) error

type config struct {
	addrs            []string
	master           string
	sentinelUser     string
	sentinelPassword string
	user, password   string
	ask              func(context.Context) (user, password string, err error)
	log              *slog.Logger
	tls              *tls.Config
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

// WithSentinel says that the addresses are those of Sentinels, and that the master called name is the server to use.
func WithSentinel(name string) Option {
	return func(c *config) error {
		c.master = name
		return require(name != "", "WithSentinel: the name of the master is empty")
	}
}

// WithSentinelAuth sets the ACL user and the password for the Sentinels; an empty user is the default one. It needs
// WithSentinel.
func WithSentinelAuth(user, password string) Option {
	return func(c *config) error {
		c.sentinelUser, c.sentinelPassword = user, password
		return require(user == "" || password != "", "WithSentinelAuth: user %q of the Sentinels without a password", user)
	}
}

// WithAuth sets the ACL user and the password; an empty user is the default one. It excludes WithCredentials.
func WithAuth(user, password string) Option {
	return func(c *config) error {
		c.user, c.password = user, password
		return require(user == "" || password != "", "WithAuth: user %q without a password", user)
	}
}

// WithCredentials has ask return the ACL user and the password for each connection that is made, in place of WithAuth, so that
// they can change while the broker runs. An empty user is the default one. Redis keeps connections that are open, so the old
// password may go as soon as ask returns the new one.
//
// ask is called from a goroutine of the broker, by one at a time: connections that are made together share what it returns.
// Its context ends after 5 s, and when the broker is closed. An error, a panic or a function that does not return fails the
// connection, which is then tried again. Close waits for a call under way. Sentinels have WithSentinelAuth.
func WithCredentials(ask func(ctx context.Context) (user, password string, err error)) Option {
	return func(c *config) error {
		c.ask = ask
		return require(ask != nil, "WithCredentials: the function is nil")
	}
}

// WithLogger sets where the broker logs why it has lost Redis, what Redis refuses, and that all is well again. The default is
// slog.Default(). Passwords and payloads are never logged.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		c.log = l
		return require(l != nil, "WithLogger: the logger is nil")
	}
}

// WithTLS makes all connections use TLS, those to Sentinels too. The configuration must not be nil, and must not be changed
// afterwards.
func WithTLS(t *tls.Config) Option {
	return func(c *config) error {
		c.tls = t
		return require(t != nil, "WithTLS: TLS configuration is nil")
	}
}

// WithDatabase selects a database. The default is 0, and a cluster has no other. Channels have no database in Redis, so those
// of another database end with "@" and its number: applications in different databases do not hear each other.
func WithDatabase(n int) Option {
	return func(c *config) error {
		c.database = n
		return require(n >= 0, "WithDatabase: database %d", n)
	}
}

// WithPrefix sets what the names of all keys and channels begin with. The default is "hubkit". It must not contain braces,
// spaces or control characters.
func WithPrefix(prefix string) Option {
	return func(c *config) error {
		c.prefix = prefix
		return require(validPrefix(prefix), "WithPrefix: prefix %q", prefix)
	}
}

// WithClientName sets the name that CLIENT LIST shows, without spaces. The default is "hubkit".
func WithClientName(name string) Option {
	return func(c *config) error {
		c.clientName = name
		bad := name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
		return require(!bad, "WithClientName: client name %q", name)
	}
}

// WithDialTimeout bounds the making of a connection, its handshakes included. The default is 1 s.
func WithDialTimeout(d time.Duration) Option {
	return func(c *config) error {
		c.dialTimeout = d
		return require(d > 0, "WithDialTimeout: dial timeout of %v", d)
	}
}

// WithIOTimeout sets how long the server may be silent before a connection counts as broken. The default is 4 s. Silence is
// noticed within 5/4 of it.
func WithIOTimeout(d time.Duration) Option {
	return func(c *config) error {
		c.ioTimeout = d
		return require(d > 0, "WithIOTimeout: I/O timeout of %v", d)
	}
}

// WithPublishConns sets how many connections to each server carry what is published, and how many more all other
// commands: a power of two from 1 to 256. The default is 1; all goroutines share them. All publications
// to a room use the same connection.
func WithPublishConns(n int) Option {
	return func(c *config) error {
		c.publishConns = n
		return require(n >= 1 && n <= 256 && bits.OnesCount(uint(n)) == 1,
			"WithPublishConns: %d connections to publish, want a power of two from 1 to 256", n)
	}
}

// WithSubscribeConns sets how many connections to each server carry messages to this node, from 1 to 64. The default is 1. A
// room is always on one of them.
func WithSubscribeConns(n int) Option {
	return func(c *config) error {
		c.subscribeConns = n
		return require(n >= 1 && n <= 64, "WithSubscribeConns: %d connections to subscribe, want 1 to 64", n)
	}
}

// WithPresenceTTL sets after how long the members and the entry of a node that is gone vanish, and how often a node refreshes
// its own. The defaults are 60 s and 25 s. refresh must be at most half of ttl.
func WithPresenceTTL(ttl, refresh time.Duration) Option {
	return func(c *config) error {
		c.ttl, c.refresh = ttl, refresh
		return require(ttl >= time.Millisecond && refresh > 0 && refresh <= ttl/2,
			"WithPresenceTTL: presence TTL of %v, refreshed every %v: want at least twice as long", ttl, refresh)
	}
}

// WithIdempotencyKeys sets how many idempotency keys are remembered, whatever their TTL: those of the service in each room,
// and those of each other publisher in all rooms together, in a cluster in each room. The defaults are 10,000 and 1,000. The
// oldest is forgotten first.
func WithIdempotencyKeys(service, publisher int) Option {
	return func(c *config) error {
		c.serviceKeys, c.publisherKeys = service, publisher
		return require(service > 0 && publisher > 0,
			"WithIdempotencyKeys: %d idempotency keys of the service, %d of a publisher", service, publisher)
	}
}

// WithMetadataTTL sets how long the epoch and the newest offset of a room with messages outlive the last publication or
// reading there. The default is 30 days. If a room's retention is longer, that counts.
func WithMetadataTTL(d time.Duration) Option {
	return func(c *config) error {
		c.metadataTTL = d
		return require(d >= time.Millisecond, "WithMetadataTTL: metadata TTL of %v", d)
	}
}

// WithBackoff sets how long to wait between attempts to come back to a server. The default begins with U(0, 100 ms) and
// grows to U(0, 2 s).
func WithBackoff(p *backoff.Policy) Option {
	return func(c *config) error {
		c.backoff = p
		return require(p != nil, "WithBackoff: backoff policy is nil")
	}
}

// require returns the fault of an option, unless all is well.
func require(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%w: "+format, append([]any{broker.ErrInvalid}, args...)...)
}

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
			faults = append(faults, require(false, "option %d is nil", i))
			continue
		}
		faults = append(faults, o(&c))
	}
	faults = append(faults, require(len(addrs) > 0, "no address"))
	for _, a := range addrs {
		_, port, err := net.SplitHostPort(a)
		faults = append(faults, require(err == nil && port != "", "address %q, want host:port", a))
	}
	faults = append(faults,
		require(c.master != "" || c.sentinelUser == "" && c.sentinelPassword == "", "credentials for Sentinels without WithSentinel"),
		require(c.ask == nil || c.user == "" && c.password == "", "both WithAuth and WithCredentials"))
	if err := errors.Join(faults...); err != nil {
		return config{}, fmt.Errorf("redis: %w", err)
	}
	return c, nil
}
