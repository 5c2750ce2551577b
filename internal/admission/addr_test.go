package admission

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func TestAddr(t *testing.T) {
	trusting := newRig(t, Config{TrustedProxies: proxies}).Gate
	strict := newRig(t, Config{}).Gate
	for _, tt := range []struct {
		name   string
		gate   *Gate
		remote string
		header []string
		want   string // empty: invalid
	}{
		{"no proxy", strict, "192.0.2.1:80", nil, "192.0.2.1"},
		{"never believed by default", strict, "10.0.0.1:80", []string{"198.51.100.1"}, "10.0.0.1"},
		{"nil gate", nil, "10.0.0.1:80", []string{"198.51.100.1"}, "10.0.0.1"},
		{"not from strangers", trusting, "192.0.2.1:80", []string{"198.51.100.1"}, "192.0.2.1"},
		{"one proxy", trusting, "10.0.0.1:80", []string{"198.51.100.1"}, "198.51.100.1"},
		{"what the client wrote", trusting, "10.0.0.1:80", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", trusting, "10.0.0.1:80", []string{"203.0.113.9,198.51.100.1 ,\t10.0.0.2"}, "198.51.100.1"},
		{"two lines", trusting, "10.0.0.1:80", []string{"203.0.113.9, 198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"the client claims to be a proxy", trusting, "10.0.0.1:80", []string{"203.0.113.9, 10.0.0.3, 198.51.100.1"}, "198.51.100.1"},
		{"nobody but proxies", trusting, "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"no header", trusting, "10.0.0.1:80", nil, "10.0.0.1"},
		{"empty header", trusting, "10.0.0.1:80", []string{""}, "10.0.0.1"},
		{"malformed", trusting, "10.0.0.1:80", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"malformed behind a proxy", trusting, "10.0.0.1:80", []string{"198.51.100.1, x, 10.0.0.2"}, "10.0.0.2"},
		{"empty entry", trusting, "10.0.0.1:80", []string{"198.51.100.1,, 10.0.0.2"}, "10.0.0.2"},
		{"with a port", trusting, "10.0.0.1:80", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"with a broken port", trusting, "10.0.0.1:80", []string{"198.51.100.1:x"}, "10.0.0.1"},
		{"IPv6", trusting, "[fd00::1]:80", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", trusting, "[fd00::1]:80", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with a port", trusting, "[fd00::1]:80", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"IPv4 in brackets", trusting, "10.0.0.1:80", []string{"[198.51.100.1]"}, "10.0.0.1"},
		{"half a bracket", trusting, "[fd00::1]:80", []string{"[2001:db8::1"}, "fd00::1"},
		{"a zone", trusting, "[fe80::1%eth0]:80", nil, "fe80::1"},
		{"IPv4 in IPv6", trusting, "[::ffff:10.0.0.1]:80", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"too many hops", trusting, "10.0.0.1:80", []string{"198.51.100.1" + strings.Repeat(", 10.0.0.2", maxHops)}, "10.0.0.2"},
		{"as many hops as may be", trusting, "10.0.0.1:80", []string{"198.51.100.1" + strings.Repeat(", 10.0.0.2", maxHops-1)}, "198.51.100.1"},
		{"Unix socket", trusting, "@", []string{"198.51.100.1"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{
				"X-Forwarded-For": tt.header,
				"Forwarded":       {"for=203.0.113.77"},
			}}
			var want netip.Addr
			if tt.want != "" {
				want = netip.MustParseAddr(tt.want)
			}
			if got := tt.gate.Addr(r); got != want {
				t.Errorf("address %v, want %v", got, want)
			}
		})
	}
}

func TestOriginKey(t *testing.T) {
	key := func(addr string) uint64 {
		t.Helper()
		k, ok := OriginKey(netip.MustParseAddr(addr))
		if !ok {
			t.Fatalf("%s has no key", addr)
		}
		return k
	}
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:1:2::3", "2001:db8:1:2:ffff::", true},
		{"2001:db8:1:2::3", "2001:db8:1:3::3", false},
		{"2001:db8::c000:201", "192.0.2.1", false},
	} {
		if same := key(tt.a) == key(tt.b); same != tt.same {
			t.Errorf("%s and %s count as one: %t", tt.a, tt.b, same)
		}
	}
	if _, ok := OriginKey(netip.Addr{}); ok {
		t.Error("the invalid address has a key")
	}
}

// Whatever the header says, the client is not who it wants to be: what the nearest proxy appended decides.
func FuzzAddr(f *testing.F) {
	f.Add("203.0.113.9", "[2001:db8::1]:80", "198.51.100.1")
	f.Add("10.0.0.2, 10.0.0.3", ",", "2001:db8::1%eth0")
	f.Add("", "unknown", "fd00::7")
	g, err := New(Config{TrustedProxies: proxies})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second, appended string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:80", Header: http.Header{
			"X-Forwarded-For": {first, second + "," + appended},
		}}
		proxy := netip.MustParseAddr("10.0.0.1")
		got := g.Addr(r)
		if !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Fatalf("address %v", got)
		}
		last := appended[strings.LastIndexByte(appended, ',')+1:]
		next := parseHop(strings.Trim(last, " \t"))
		if !next.IsValid() && got != proxy {
			t.Fatalf("address %v behind the malformed %q", got, last)
		}
		if next.IsValid() && !g.trusts(next) && got != next {
			t.Fatalf("address %v, want %v", got, next)
		}
		r.RemoteAddr = "192.0.2.1:80"
		if got := g.Addr(r); got != netip.MustParseAddr("192.0.2.1") {
			t.Fatalf("a stranger became %v", got)
		}
	})
}

func TestRelayed(t *testing.T) {
	trusting := newRig(t, Config{TrustedProxies: proxies}).Gate
	for _, tt := range []struct {
		name   string
		gate   *Gate
		remote string
		want   bool
	}{
		{"by a proxy", trusting, "10.0.0.1:80", true},
		{"by a stranger", trusting, "192.0.2.1:80", false},
		{"by a Unix socket", trusting, "@", false},
		{"nobody is trusted", newRig(t, Config{}).Gate, "10.0.0.1:80", false},
		{"no gate", nil, "10.0.0.1:80", false},
	} {
		if got := tt.gate.Relayed(&http.Request{RemoteAddr: tt.remote}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
