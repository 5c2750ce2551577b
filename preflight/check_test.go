package preflight_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/preflight"
)

func TestCheck(t *testing.T) {
	const unknown, none = preflight.Unknown, preflight.Unlimited
	tests := []struct {
		fake    fake
		safe    int
		binding string
		target  int
		allows  map[string]int
	}{
		// 524288 − 10 − (64 + 5242); memory: 12,288,000,000 · ¾ / 12,000
		{laptop, 518972, "RLIMIT_NOFILE", 768000, map[string]int{
			"machine memory":               768000,
			"fs.file-max":                  none,
			"fs.nr_open":                   1073741816 - 10 - 64 - 10737418,
			"fs.epoll.max_user_watches":    1747626,
			"cgroup memory.max":            none,
			"net.ipv4.tcp_mem":             376000,
			"net.core.somaxconn":           4096,
			"net.ipv4.ip_local_port_range": 28232,
		}},
		// (536870912 − (134217728 − 67108864)) · ¾ / 12,000
		{pod, 29360, "cgroup memory.max", 58720, map[string]int{
			"RLIMIT_NOFILE":    1048576 - 8 - 64 - 10485,
			"net.ipv4.tcp_mem": unknown,
			"fs.file-max":      6553600 - 20000 - 64 - 65536,
		}},
		// (1073741824 − (120000000 − 20000000)) · ¾ / 12,000
		{dockerV1, 60858, "cgroup memory.limit_in_bytes", 121716, nil},
		// (2147483648 − 47483648) · ¾ / 12,000
		{slice, 131250, "cgroup memory.high", 262500, nil},
		// 65536 − 6553 − 1536
		{firewall, 57447, "net.netfilter.nf_conntrack_max", 768000, nil},
		{idleFirewall, 518972, "RLIMIT_NOFILE", 768000, map[string]int{"net.netfilter.nf_conntrack_max": none}},
		{freshFirewall, 58983, "net.netfilter.nf_conntrack_max", 768000, nil},
		{small, 0, "RLIMIT_NOFILE", 768000, nil},
		{unlimited, none, "", 1000000, map[string]int{
			"RLIMIT_NOFILE":                none,
			"fs.nr_open":                   none,
			"cgroup memory.limit_in_bytes": none,
			"machine memory":               unknown,
		}},
		// The soft limit counts: 1024 − 0 − (64 + 10)
		{blank, 950, "RLIMIT_NOFILE", 1000000, map[string]int{"fs.nr_open": unknown, "cgroup memory": unknown}},
		{garbage, 518972, "RLIMIT_NOFILE", 1037944, map[string]int{
			"fs.nr_open": unknown, "fs.file-max": unknown, "fs.epoll.max_user_watches": unknown,
			"cgroup memory": unknown, "machine memory": unknown, "net.netfilter.nf_conntrack_max": unknown,
			"net.ipv4.tcp_mem": unknown, "net.core.somaxconn": unknown, "net.ipv4.ip_local_port_range": unknown,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.fake.name, func(t *testing.T) {
			r := check(t, tt.fake.options()...)
			if r.SafeConns != tt.safe || r.Binding != tt.binding || r.Target != tt.target {
				t.Errorf("%d safe, %q binds, target %d; want %d, %q, %d",
					r.SafeConns, r.Binding, r.Target, tt.safe, tt.binding, tt.target)
			}
			for name, want := range tt.allows {
				l := limit(t, r, name)
				if l.Allows != want {
					t.Errorf("%s allows %d, want %d", name, l.Allows, want)
				}
				if l.Source == "" || (want == unknown && l.Note == "") {
					t.Errorf("%s: source %q, note %q", name, l.Source, l.Note)
				}
			}
			bound, ok := r.Bound()
			if ok != (tt.binding != "") || bound.Name != tt.binding {
				t.Errorf("Bound() = %q, %t", bound.Name, ok)
			}
		})
	}
}

func TestConntrackIsLeftOutWhereItIsNotLoaded(t *testing.T) {
	for _, l := range check(t, laptop.options()...).Limits {
		if strings.Contains(l.Name, "conntrack") {
			t.Errorf("%s is reported", l.Name)
		}
	}
}

func TestDescriptors(t *testing.T) {
	none, unknown := preflight.Unlimited, preflight.Unknown
	tests := []struct {
		fake fake
		opts []preflight.Option
		want preflight.Descriptors
	}{
		{laptop, nil, preflight.Descriptors{Soft: 524288, Hard: 524288, Open: 10, Reserve: 5306}},
		{laptop, []preflight.Option{preflight.WithReserve(100)}, preflight.Descriptors{Soft: 524288, Hard: 524288, Open: 10, Reserve: 100}},
		{laptop, []preflight.Option{preflight.WithReserve(0)}, preflight.Descriptors{Soft: 524288, Hard: 524288, Open: 10}},
		{blank, nil, preflight.Descriptors{Soft: 1024, Hard: 4096, Open: unknown, Reserve: 74}},
		{unlimited, nil, preflight.Descriptors{Soft: none, Hard: none, Open: unknown, Reserve: 64}},
	}
	for _, tt := range tests {
		r := check(t, tt.fake.options(tt.opts...)...)
		if r.Descriptors != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.fake.name, r.Descriptors, tt.want)
		}
		if soft := tt.want.Soft; soft > 0 {
			want := soft - max(tt.want.Open, 0) - tt.want.Reserve
			if got := limit(t, r, "RLIMIT_NOFILE").Allows; got != want {
				t.Errorf("%s: RLIMIT_NOFILE allows %d, want %d", tt.fake.name, got, want)
			}
		}
	}
}

func TestConnBytes(t *testing.T) {
	r := check(t, pod.options(preflight.WithConnBytes(50_000, 10_000))...)
	if got, want := r.SafeConns, 352321536/60000; got != want || r.ConnBytes != 60_000 {
		t.Errorf("%d safe at %d bytes, want %d", got, r.ConnBytes, want)
	}
}

func TestShort(t *testing.T) {
	tests := []struct {
		fake   fake
		target int
		want   string
	}{
		{laptop, 518972, ""},
		{laptop, 518973, "RLIMIT_NOFILE"},
		{laptop, 2_000_000, "RLIMIT_NOFILE, fs.epoll.max_user_watches, machine memory"},
		{firewall, 100_000, "net.netfilter.nf_conntrack_max"},
		{pod, 1_100_000, "RLIMIT_NOFILE, fs.nr_open, cgroup memory.max"},
		{unlimited, 1_000_000_000, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.fake.name, tt.target), func(t *testing.T) {
			var names []string
			for _, l := range check(t, tt.fake.options(preflight.WithTarget(tt.target))...).Short() {
				names = append(names, l.Name)
			}
			if got := strings.Join(names, ", "); got != tt.want {
				t.Errorf("short: %s; want %s", got, tt.want)
			}
		})
	}
}
