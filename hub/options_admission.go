package hub

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gohubkit/hubkit/preflight"
)

// WithAdmission bounds how many new connections a second the hub accepts, and how many at once after a quiet time. By
// default there is no bound. A client above it is refused with 503 and a Retry-After. Resuming clients are admitted
// before new ones, which keep a quarter of the rate. With a burst of at most perSecond/50, no period of 100 ms
// exceeds 1.2 times the rate.
func WithAdmission(perSecond float64, burst int) Option {
	return func(c *config) error {
		if !(perSecond > 0 && perSecond <= 1e6) || burst <= 0 {
			return fmt.Errorf("WithAdmission: %v a second with a burst of %d: both must be positive, the rate at most a million", perSecond, burst)
		}
		c.admission.Rate, c.admission.Burst = perSecond, burst
		return nil
	}
}

// WithAddressRate sets the share of WithAdmission's rate and burst for one client address: an IPv4 address, or an
// IPv6 /64. While clients of other addresses connect too, the handshakes of an address above its share wait behind
// theirs. An address that connects alone may use the whole rate. The default is a quarter of both, and at least a
// burst of 1. Behind a proxy it needs WithTrustedProxies, or all clients have one address.
func WithAddressRate(perSecond float64, burst int) Option {
	return func(c *config) error {
		if !(perSecond > 0 && perSecond <= 1e6) || burst <= 0 {
			return fmt.Errorf("WithAddressRate: %v a second with a burst of %d: both must be positive, the rate at most a million", perSecond, burst)
		}
		c.admission.AddressRate, c.admission.AddressBurst = perSecond, burst
		return nil
	}
}

// minResumeKey is the shortest key for resume tickets, in bytes.
const minResumeKey = 16

// WithResumeKey sets the secret with which the nodes sign resume tickets. Clients get a ticket in the welcome and
// present it when they reconnect. The key has at least 16 random bytes and is the same at all nodes. Tickets signed
// with an earlier key are accepted too, so that keys can be rotated. By default the nodes share a random key through
// their broker if it implements broker.Secrets, as the Redis broker does. Otherwise each node has its own key and
// accepts no tickets of other nodes. WithResumeKey needs WithAdmission: without a rate there are no tickets.
func WithResumeKey(key []byte, earlier ...[]byte) Option {
	return func(c *config) error {
		c.resumeKeys = nil
		for _, k := range append([][]byte{key}, earlier...) {
			if len(k) < minResumeKey {
				return fmt.Errorf("WithResumeKey: a key of %d bytes, must be at least %d", len(k), minResumeKey)
			}
			c.resumeKeys = append(c.resumeKeys, bytes.Clone(k))
		}
		return nil
	}
}

// WithMaxConns bounds the connections of this node, including those whose handshake is under way. The default is the
// number that the preflight check finds safe. The hub accepts a larger number, with a warning in the log. If there
// are too few file descriptors for it, their number is the bound.
func WithMaxConns(n int) Option {
	return positive("WithMaxConns", n, func(c *config) *int { return &c.admission.MaxConns })
}

// WithMaxPerIP bounds the connections of one client address on this node: an IPv4 address, or an IPv6 /64. By default there
// is no bound. Behind a proxy it needs WithTrustedProxies, or all clients have one address.
func WithMaxPerIP(n int) Option {
	return positive("WithMaxPerIP", n, func(c *config) *int { return &c.admission.MaxPerIP })
}

// WithMaxHandshakes bounds the handshakes under way, including the time in the authenticator. By default there is no
// bound. A call of the token verifier counts as one too. If the bound is reached, the hub does not call the verifier,
// and closes the connection with 1013 and a hint. A client that renews its token receives "unavailable" instead, and
// its connection stays open.
func WithMaxHandshakes(n int) Option {
	return positive("WithMaxHandshakes", n, func(c *config) *int { return &c.admission.MaxHandshakes })
}

// WithTrustedProxies sets the proxies whose X-Forwarded-For the hub trusts: addresses such as 10.0.0.7, prefixes such
// as 10.0.0.0/8, or "unix" for any peer of a Unix socket. By default no such header is trusted. A client's address is
// then the first, from the right, that is not one of these; see ClientAddr.
func WithTrustedProxies(proxies ...string) Option {
	return func(c *config) error {
		if len(proxies) == 0 {
			return fmt.Errorf("WithTrustedProxies: no proxy given")
		}
		for _, p := range proxies {
			if p == "unix" {
				c.admission.TrustUnix = true
				continue
			}
			prefix, err := parsePrefix(p)
			if err != nil {
				return fmt.Errorf("WithTrustedProxies: %q is neither an address nor a prefix, nor \"unix\"", p)
			}
			c.admission.TrustedProxies = append(c.admission.TrustedProxies, prefix)
		}
		return nil
	}
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return addr.Prefix(addr.BitLen())
}

// WithSoftRefusals sets how many refused browsers a second receive a retry hint. The default is none. A browser does
// not see the 503 of a refused handshake. The hub therefore accepts such a connection, and closes it with 1013 and a
// hint. For all other refused browsers, the browser's own backoff decides. The hub keeps twice as many descriptors
// back from connections.
func WithSoftRefusals(perSecond int) Option {
	return positive("WithSoftRefusals", perSecond, func(c *config) *int { return &c.admission.Soft })
}

// WithMemoryBudget bounds the memory, in bytes, that all connections together take beyond that of idle ones. The default
// is half of the memory that the preflight check finds beyond the need of idle connections, and at least an eighth of
// all that it finds. If there is no preflight check, or the memory is unknown, there is no budget.
//
// The budget counts backlogs of slow consumers, partly received messages, and rooms. Data in several backlogs counts
// once. Above the budget, the hub closes the connections that hold most, until an eighth of the budget is free. It does not close
// a connection that holds less than 8 KiB. Clients with a backlog are closed as WithBacklog says, others with 1013
// and a hint to reconnect within 10 s. See Stats.Memory.
func WithMemoryBudget(bytes int64) Option {
	return func(c *config) error {
		if bytes <= 0 {
			return fmt.Errorf("WithMemoryBudget: %d is not positive", bytes)
		}
		c.memoryBudget = bytes
		return nil
	}
}

// WithPreflight sets options of New's check of the machine: how many descriptors are kept back, and how much memory a
// connection takes. By default the check has the defaults of package preflight. The bound that it finds is for this hub
// alone. If a process has several hubs, each needs WithMaxConns.
func WithPreflight(opts ...preflight.Option) Option {
	return func(c *config) error {
		c.preflight = append(c.preflight, opts...)
		return nil
	}
}

// WithoutPreflight disables the check of the machine's limits, which New makes by default. Then only WithMaxConns bounds
// the connections.
func WithoutPreflight() Option {
	return func(c *config) error {
		c.noPreflight = true
		return nil
	}
}
