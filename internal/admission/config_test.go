package admission

import (
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	prefixes := func(ps ...string) (out []netip.Prefix) {
		for _, p := range ps {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	for _, tt := range []struct {
		name   string
		config Config
		want   []string
	}{
		{"zero", Config{}, nil},
		{"all", Config{
			Rate: 0.5, Burst: 1, MaxConns: 1, MaxPerIP: 1, MaxHandshakes: 1, Soft: 1,
			TrustedProxies: prefixes("10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"),
		}, nil},
		{"negative rate", Config{Rate: -1, Burst: 1}, []string{"rate is -1"}},
		{"no number", Config{Rate: math.NaN()}, []string{"rate is NaN"}},
		{"infinite rate", Config{Rate: math.Inf(1), Burst: 1}, []string{"rate is +Inf"}},
		{"no burst", Config{Rate: 1}, []string{"burst is 0"}},
		{"burst without rate", Config{Burst: 1}, []string{"no rate"}},
		{"no prefix", Config{TrustedProxies: []netip.Prefix{{}}}, []string{"trusted proxy 0 is not a prefix"}},
		{"everybody", Config{TrustedProxies: prefixes("0.0.0.0/0", "::/0")}, []string{"0.0.0.0/0: everybody", "::/0: everybody"}},
		{"IPv4 in IPv6", Config{TrustedProxies: prefixes("::ffff:10.0.0.0/104")}, []string{"write it as IPv4"}},
		{"everything", Config{
			Rate: 1, Burst: -1, MaxConns: -2, MaxPerIP: -3, MaxHandshakes: -4, Soft: -5,
			TrustedProxies: []netip.Prefix{{}},
		}, []string{"burst is -1", "conns is -2", "per IP is -3", "handshakes is -4", "refusals is -5", "proxy 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := New(tt.config)
			if len(tt.want) == 0 {
				if g == nil || err != nil {
					t.Fatalf("New = %v, %v", g, err)
				}
				return
			}
			if g != nil || !errors.Is(err, ErrConfig) {
				t.Fatalf("New = %v, %v; want nil and ErrConfig", g, err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not tell of %q", err, w)
				}
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(tt.want) {
				t.Errorf("%d faults, want %d: %v", got, len(tt.want), err)
			}
		})
	}
}

// What the caller does to its slice afterwards does not reach the gate.
func TestProxiesAreCopied(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	r := newRig(t, Config{TrustedProxies: proxies})
	proxies[0] = netip.MustParsePrefix("192.0.2.0/24")
	req := request("192.0.2.1:1")
	req.Header = map[string][]string{"X-Forwarded-For": {"198.51.100.1"}}
	if got := r.Addr(req); got != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("address %v", got)
	}
}
