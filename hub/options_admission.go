package hub

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gohubkit/hubkit/preflight"
)

// WithAdmission bounds how many new connections a second the hub takes, and how many at once after a quiet time. By default
// there is no bound. A client beyond it is refused with 503 and a Retry-After. Resuming clients are admitted before new
// ones, which keep a quarter of the rate. With a burst of at most perSecond/50 no 100 ms see more than 1.2 times the rate.
func WithAdmission(perSecond float64, burst int) Option {
	return func(c *config) error {
		if !(perSecond > 0 && perSecond <= 1e6) || burst <= 0 {
			return fmt.Errorf("WithAdmission: %v a second with a burst of %d: both must be positive, the rate at most a million", perSecond, burst)
		}
		c.admission.Rate, c.admission.Burst = perSecond, burst
		return nil
	}
}

// WithAddressRate sets the share of WithAdmission's rate and burst that one client address has: an IPv4 address, or an IPv6
// /64. While clients of other addresses come too, the handshakes of an address beyond its share are admitted after those
// of the others, and wait behind them. An address that comes alone may use all of the rate. The default is a quarter of
// both, and at least a burst of 1. Behind a proxy it needs WithTrustedProxies, or all clients have one address.
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

// WithResumeKey sets the secret with which the nodes sign resume tickets. Clients get a ticket in the welcome and show it when
// they come back. The key has at least 16 random bytes and is the same at all nodes. Tickets signed with an earlier key are
// accepted too, so that keys can be rotated. By default the nodes share a random key through their broker if it
// implements broker.Secrets, as that of Redis does. Otherwise each node has a key of its own and accepts no tickets of
// others. WithResumeKey needs WithAdmission: without a rate there are no tickets.
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

// WithMaxConns bounds the connections of this node, those whose handshake is under way included. The default is what the
// preflight check finds safe. A larger number is obeyed, with a warning in the log. If there are too few file descriptors
// for it, the bound is what they allow.
func WithMaxConns(n int) Option {
	return positive("WithMaxConns", n, func(c *config) *int { return &c.admission.MaxConns })
}

// WithMaxPerIP bounds the connections of one client address on this node: an IPv4 address, or an IPv6 /64. By default there
// is no bound. Behind a proxy it needs WithTrustedProxies, or all clients have one address.
func WithMaxPerIP(n int) Option {
	return positive("WithMaxPerIP", n, func(c *config) *int { return &c.admission.MaxPerIP })
}

// WithMaxHandshakes bounds the handshakes under way, the time that the authenticator takes included. By default there is no
// bound. A call of the token verifier counts as one too: if there are as many, the hub does not call it, and closes the
// connection with 1013 and a hint. A client that renews its token hears "unavailable" instead, and stays.
func WithMaxHandshakes(n int) Option {
	return positive("WithMaxHandshakes", n, func(c *config) *int { return &c.admission.MaxHandshakes })
}

// WithTrustedProxies names the proxies whose X-Forwarded-For is believed: addresses such as 10.0.0.7, prefixes such as
// 10.0.0.0/8, or "unix" for whoever connects by a Unix socket. By default no such header is believed. A client's address is
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

// WithSoftRefusals sets how many refused browsers a second are told when to come back. The default is none. A browser does
// not see the 503 of a refused handshake. One of these is let in, told with 1013 and a hint, and closed. For the others the
// browser's own backoff decides. Twice as many descriptors are kept back from connections.
func WithSoftRefusals(perSecond int) Option {
	return positive("WithSoftRefusals", perSecond, func(c *config) *int { return &c.admission.Soft })
}

// WithMemoryBudget bounds what all connections together make the hub keep in memory beyond what idle ones need, in bytes: what
// waits for slow clients (what several wait for counts once), messages that have come in part, and rooms. If it is more, the
// hub closes the connections that hold most, until an eighth of the budget is free. A connection that holds less than
// 8 KiB is not closed for it. Clients with a backlog are closed as WithBacklog says, others with 1013 and a hint to come back
// within 10 s. See Stats.Memory.
//
// The default is half of the memory that the preflight check finds beyond what idle connections need, and at least an eighth of
// all that it finds. Without a preflight check, or if the memory is not known, there is no budget.
func WithMemoryBudget(bytes int64) Option {
	return func(c *config) error {
		if bytes <= 0 {
			return fmt.Errorf("WithMemoryBudget: %d is not positive", bytes)
		}
		c.memoryBudget = bytes
		return nil
	}
}

// WithPreflight changes what New's check of the machine goes by: how many descriptors are kept back, what memory a
// connection takes. See package preflight. The bound it finds is for this hub alone: if a process has several, each needs
// WithMaxConns.
func WithPreflight(opts ...preflight.Option) Option {
	return func(c *config) error {
		c.preflight = append(c.preflight, opts...)
		return nil
	}
}

// WithoutPreflight leaves the machine's limits alone: the bound on connections is that of WithMaxConns or none.
func WithoutPreflight() Option {
	return func(c *config) error {
		c.noPreflight = true
		return nil
	}
}
