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

// The defaults of the options of New. DefaultIdempotencyKeys counts keys of the service, and DefaultPublisherKeys those
// of any other publisher.
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
	emptyAge         time.Duration
	serviceKeys      int
	publisherKeys    int
	backoff          *backoff.Policy
}

// WithSentinel makes the addresses of New those of Sentinels. By default they are addresses of Redis servers. name is the
// name by which the Sentinels know the primary (Sentinel calls it the master). The broker uses that primary.
func WithSentinel(name string) Option {
	return func(c *config) error {
		c.master = name
		return require(name != "", "WithSentinel: the name of the master is empty")
	}
}

// WithSentinelAuth sets the ACL user and the password for the Sentinels. An empty user means Redis's default user. It needs
// WithSentinel. By default the broker does not authenticate to Sentinels.
func WithSentinelAuth(user, password string) Option {
	return func(c *config) error {
		c.sentinelUser, c.sentinelPassword = user, password
		return require(user == "" || password != "", "WithSentinelAuth: user %q of the Sentinels has no password", user)
	}
}

// WithAuth sets the ACL user and the password. An empty user means Redis's default user. It excludes WithCredentials. By
// default the broker does not authenticate.
func WithAuth(user, password string) Option {
	return func(c *config) error {
		c.user, c.password = user, password
		return require(user == "" || password != "", "WithAuth: user %q has no password", user)
	}
}

// WithCredentials sets a function that returns the ACL user and the password for each new connection, in place of WithAuth.
// By default the broker does not authenticate. With the function they can change while the broker runs. An empty user means Redis's default user. Redis keeps open connections, so you
// may remove the old password as soon as ask returns the new one.
//
// The broker calls ask from one goroutine at a time. Connections that are made together share the result. The context of ask
// ends after 5 s, and when the broker is closed. An error, a panic or a function that does not return fails the
// connection; the broker tries it again. Close waits for a call under way. For Sentinels use WithSentinelAuth.
func WithCredentials(ask func(ctx context.Context) (user, password string, err error)) Option {
	return func(c *config) error {
		c.ask = ask
		return require(ask != nil, "WithCredentials: the function is nil")
	}
}

// WithLogger sets the logger of the broker. It logs why a connection was lost, what Redis refuses, and each recovery. The
// default is slog.Default(). The broker never logs passwords and payloads.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		c.log = l
		return require(l != nil, "WithLogger: the logger is nil")
	}
}

// WithTLS makes all connections use TLS, those to Sentinels included. The configuration must not be nil, and must not be
// changed afterwards. The default is no TLS.
func WithTLS(t *tls.Config) Option {
	return func(c *config) error {
		c.tls = t
		return require(t != nil, "WithTLS: the TLS configuration is nil")
	}
}

// WithDatabase selects a database. The default is 0. A cluster has no other. Redis channels do not belong to a database, so
// the channels of another database end with "@" and its number. Applications in different databases thus do not
// receive each other's messages.
func WithDatabase(n int) Option {
	return func(c *config) error {
		c.database = n
		return require(n >= 0, "WithDatabase: database %d must not be negative", n)
	}
}

// WithPrefix sets the prefix of the names of all keys and channels. The default is "hubkit". It must not be empty and must
// not contain braces, spaces or control characters.
func WithPrefix(prefix string) Option {
	return func(c *config) error {
		c.prefix = prefix
		return require(validPrefix(prefix), "WithPrefix: prefix %q must not be empty or contain braces, spaces or control characters", prefix)
	}
}

// WithClientName sets the name of the connections in CLIENT LIST. It is printable ASCII without spaces. The default is
// "hubkit".
func WithClientName(name string) Option {
	return func(c *config) error {
		c.clientName = name
		bad := name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
		return require(!bad, "WithClientName: client name %q must be printable ASCII without spaces", name)
	}
}

// WithDialTimeout sets how long making a connection may take, its handshakes included. The default is 1 s.
func WithDialTimeout(d time.Duration) Option {
	return func(c *config) error {
		c.dialTimeout = d
		return require(d > 0, "WithDialTimeout: dial timeout of %v must be positive", d)
	}
}

// WithIOTimeout sets how long the server may be silent before a connection counts as broken. The default is 4 s. The broker
// notices silence within 5/4 of it.
func WithIOTimeout(d time.Duration) Option {
	return func(c *config) error {
		c.ioTimeout = d
		return require(d > 0, "WithIOTimeout: I/O timeout of %v must be positive", d)
	}
}

// WithPublishConns sets how many connections to each server carry publications. As many more carry all other commands. n is
// a power of two from 1 to 256. The default is 1. All goroutines share them. All publications to a room use
// the same connection.
func WithPublishConns(n int) Option {
	return func(c *config) error {
		c.publishConns = n
		return require(n >= 1 && n <= 256 && bits.OnesCount(uint(n)) == 1,
			"WithPublishConns: %d connections to publish: it must be a power of two from 1 to 256", n)
	}
}

// WithSubscribeConns sets how many connections to each server carry messages to this node, from 1 to 64. The default is 1. All
// messages of a room use one connection.
func WithSubscribeConns(n int) Option {
	return func(c *config) error {
		c.subscribeConns = n
		return require(n >= 1 && n <= 64, "WithSubscribeConns: %d connections to subscribe: it must be 1 to 64", n)
	}
}

// WithPresenceTTL sets how long the members and the entry of a node outlive it, and how often a node refreshes its own. The
// defaults are 60 s and 25 s. refresh must be positive and at most half of ttl.
func WithPresenceTTL(ttl, refresh time.Duration) Option {
	return func(c *config) error {
		c.ttl, c.refresh = ttl, refresh
		return require(ttl >= time.Millisecond && refresh > 0 && refresh <= ttl/2,
			"WithPresenceTTL: presence TTL of %v must be at least twice the positive refresh interval of %v", ttl, refresh)
	}
}

// WithIdempotencyKeys sets how many idempotency keys Redis remembers, whatever their TTL. service counts the keys of the
// service in each room. publisher counts the keys of any other publisher in all rooms together; in a cluster, in each
// room. The defaults are 10,000 and 1,000. Both must be positive. The oldest key is forgotten first.
func WithIdempotencyKeys(service, publisher int) Option {
	return func(c *config) error {
		c.serviceKeys, c.publisherKeys = service, publisher
		return require(service > 0 && publisher > 0,
			"WithIdempotencyKeys: %d idempotency keys of the service and %d of a publisher must be positive", service, publisher)
	}
}

// WithMetadataTTL sets how long the epoch and the newest offset of a room with messages outlive its last publication or
// read. The default is 30 days. If a room's retention is longer, the retention counts. It must be at least 1 ms.
func WithMetadataTTL(d time.Duration) Option {
	return func(c *config) error {
		c.metadataTTL = d
		return require(d >= time.Millisecond, "WithMetadataTTL: metadata TTL of %v must be at least 1 ms", d)
	}
}

// WithBackoff sets the wait between attempts to reconnect to a server. The default is random: uniform in 0 to 100 ms at
// first, growing to 0 to 2 s.
func WithBackoff(p *backoff.Policy) Option {
	return func(c *config) error {
		c.backoff = p
		return require(p != nil, "WithBackoff: the backoff policy is nil")
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
		emptyAge:       emptyAge,
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
	faults = append(faults, require(len(addrs) > 0, "New needs at least one address"))
	for _, a := range addrs {
		_, port, err := net.SplitHostPort(a)
		faults = append(faults, require(err == nil && port != "", "address %q must be host:port", a))
	}
	faults = append(faults,
		require(c.master != "" || c.sentinelUser == "" && c.sentinelPassword == "", "WithSentinelAuth needs WithSentinel"),
		require(c.ask == nil || c.user == "" && c.password == "", "WithAuth and WithCredentials exclude each other"))
	if err := errors.Join(faults...); err != nil {
		return config{}, fmt.Errorf("redis: %w", err)
	}
	return c, nil
}
