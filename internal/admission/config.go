package admission

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// ErrConfig matches every complaint about a Config.
var ErrConfig = errors.New("admission: invalid configuration")

// Config says what a Gate lets through. A zero field is no bound.
type Config struct {
	// Rate is how many connections a second are admitted.
	Rate float64
	// Burst is how many may be admitted at once after a quiet time. It must be positive where Rate is
	// set, and is without meaning where it is not.
	Burst int
	// AddressRate and AddressBurst are the share that a client address has of Rate and Burst. While other addresses come
	// too, what is beyond it comes after them. The zeros stand for a quarter, and for one at the least. They are without
	// meaning if no Rate is set.
	AddressRate  float64
	AddressBurst int
	// MaxConns bounds the connections, those whose handshake is under way included.
	MaxConns int
	// MaxPerIP bounds the connections of one client address, an IPv4 address or an IPv6 /64. Requests without
	// a readable address, such as those over a Unix socket, are not bound by it.
	MaxPerIP int
	// MaxHandshakes bounds the handshakes under way.
	MaxHandshakes int
	// TrustedProxies are those whose X-Forwarded-For is believed; see Gate.Addr. IPv4 prefixes are written
	// as such.
	TrustedProxies []netip.Prefix
	// TrustUnix believes whoever connects by a Unix socket.
	TrustUnix bool
	// Soft is how many refused browsers a second may be told when to come back in a close frame. A second's
	// worth of them may come at once.
	Soft int
	// Now is the clock, time.Now where it is nil. It is called with a lock held and must not call the Gate.
	Now func() time.Time
}

// Validate returns every fault of the configuration, joined; they match ErrConfig.
func (c *Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	if !(c.Rate >= 0) || math.IsInf(c.Rate, 0) {
		fault("rate is %v a second, must be a number that is not negative", c.Rate)
	}
	if c.Rate > 0 && c.Burst < 1 {
		fault("burst is %d, must be positive", c.Burst)
	}
	if c.Rate == 0 && c.Burst != 0 {
		fault("burst is %d, but there is no rate", c.Burst)
	}
	if !(c.AddressRate >= 0) || math.IsInf(c.AddressRate, 0) {
		fault("rate of an address is %v a second, must be a number that is not negative", c.AddressRate)
	}
	if c.Rate == 0 && (c.AddressRate != 0 || c.AddressBurst != 0) {
		fault("an address has a rate, but all together have none")
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"burst of an address", c.AddressBurst},
		{"max conns", c.MaxConns},
		{"max per IP", c.MaxPerIP},
		{"max handshakes", c.MaxHandshakes},
		{"soft refusals", c.Soft},
	} {
		if n.value < 0 {
			fault("%s is %d, must not be negative", n.name, n.value)
		}
	}
	for i, p := range c.TrustedProxies {
		switch {
		case !p.IsValid():
			fault("trusted proxy %d is not a prefix", i)
		case p.Addr().Is4In6():
			fault("trusted proxy %v: write it as IPv4", p)
		case p.Bits() == 0:
			fault("trusted proxy %v: everybody is in it, and could choose an address", p)
		}
	}
	return errors.Join(faults...)
}
