package preflight_test

import (
	"io"
	"testing"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/preflight"
)

// FuzzCheck gives the same text to files of the same kind.
func FuzzCheck(f *testing.F) {
	f.Add("1048576", "1 2 3", "MemTotal: 16 kB\nMemAvailable: 8 kB", "0::/a/b", "5 inactive_file 3", uint64(1024), uint64(4096))
	f.Add("max", "32768 60999", "Tcp: CurrEstab\nTcp: 5", "4:cpu,memory:/x\n0::/../..", "0", uint64(0), uint64(infinite))
	f.Add("18446744073709551615", "4611686018427387903 4611686018427387903 4611686018427387903", "TCP: mem 9", "0::", "\xff", uint64(1)<<62-1, uint64(1)<<62)
	f.Add("-1", "", "MemTotal: 99999999999999999999 kB", ":::", "\n\n ", uint64(5), uint64(5))
	f.Fuzz(func(t *testing.T, number, numbers, table, groups, stat string, soft, hard uint64) {
		m := laptop.with("fuzz", map[string]string{
			"proc/sys/fs/nr_open":                        number,
			"proc/sys/fs/file-max":                       number,
			"proc/sys/fs/file-nr":                        numbers,
			"proc/sys/fs/epoll/max_user_watches":         number,
			"proc/sys/net/core/somaxconn":                number,
			"proc/sys/net/netfilter/nf_conntrack_max":    number,
			"proc/sys/net/netfilter/nf_conntrack_count":  numbers,
			"proc/sys/net/ipv4/ip_local_port_range":      numbers,
			"proc/sys/net/ipv4/tcp_mem":                  numbers,
			"proc/self/net/sockstat":                     table,
			"proc/self/net/snmp":                         table,
			"proc/meminfo":                               table,
			"proc/self/cgroup":                           groups,
			"sys/fs/cgroup/memory.max":                   number,
			"sys/fs/cgroup/memory.current":               numbers,
			"sys/fs/cgroup/memory.stat":                  stat,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": number,
			"sys/fs/cgroup/memory/memory.usage_in_bytes": stat,
		})
		m.soft, m.hard = min(soft, hard), max(soft, hard)
		r := check(t, m.options()...)
		least := -1
		for _, l := range r.Limits {
			if l.Allows < preflight.Unknown || l.Used < preflight.Unknown || l.Name == "" || l.Value == "" {
				t.Errorf("%+v", l)
			}
			if l.Counts == preflight.Connections && l.Allows >= 0 && (least < 0 || l.Allows < least) {
				least = l.Allows
			}
		}
		if r.SafeConns != least && least >= 0 || r.Target < 1 {
			t.Errorf("%d safe, target %d; the least limit allows %d", r.SafeConns, r.Target, least)
		}
		if err := r.WriteText(io.Discard); err != nil {
			t.Error(err)
		}
		if valid := utf8.ValidString(number + numbers + table + groups + stat); valid {
			roundTrip(t, r)
		}
	})
}
