package preflight_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/preflight"
)

func TestFixes(t *testing.T) {
	tests := []struct {
		fake   fake
		target int
		limit  string
		want   []string // where: line
	}{
		{laptop, 600_000, "RLIMIT_NOFILE", []string{
			"systemd: LimitNOFILE=1048576",
			"limits.conf: * - nofile 1048576",
			"docker: --ulimit nofile=1048576:1048576",
			"kubernetes: LimitNOFILE=1048576",
		}},
		{laptop, 500_000, "RLIMIT_NOFILE", nil},
		{laptop, 2_000_000, "fs.epoll.max_user_watches", []string{"sysctl: fs.epoll.max_user_watches = 4194304"}},
		{pod, 1_100_000, "fs.nr_open", []string{"sysctl: fs.nr_open = 2097152"}},
		{pod, 8_000_000, "fs.file-max", []string{"sysctl: fs.file-max = 8388608"}},
		{pod, 58_720, "cgroup memory.max", []string{"systemd: MemoryMax=960M", "docker: --memory=960M", "kubernetes: memory: 960Mi"}},
		{slice, 262_500, "cgroup memory.high", []string{"systemd: MemoryHigh=4G", "docker: --memory=4G", "kubernetes: memory: 4Gi"}},
		{laptop, 2_000_000, "machine memory", nil},
		{firewall, 100_000, "net.netfilter.nf_conntrack_max", []string{
			"sysctl: net.netfilter.nf_conntrack_max = 131072",
			"kubernetes: min: 131072",
		}},
		{laptop, 500_000, "net.ipv4.tcp_mem", []string{"sysctl: net.ipv4.tcp_mem = 262144 349524 524288"}},
		{laptop, 50_000, "net.core.somaxconn", nil},
		{laptop, 100_000, "net.core.somaxconn", []string{
			"sysctl: net.core.somaxconn = 8192",
			"docker: --sysctl 'net.core.somaxconn=8192'",
			`kubernetes: - {name: net.core.somaxconn, value: "8192"}`,
		}},
		{pod, 1, "net.core.somaxconn", []string{
			"sysctl: net.core.somaxconn = 4096",
			"docker: --sysctl 'net.core.somaxconn=4096'",
			`kubernetes: - {name: net.core.somaxconn, value: "4096"}`,
		}},
		{laptop, 20_000, "net.ipv4.ip_local_port_range", nil},
		{laptop, 50_000, "net.ipv4.ip_local_port_range", []string{
			"sysctl: net.ipv4.ip_local_port_range = 10240 65535",
			"docker: --sysctl 'net.ipv4.ip_local_port_range=10240 65535'",
			`kubernetes: - {name: net.ipv4.ip_local_port_range, value: "10240 65535"}`,
		}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s %d", tt.fake.name, tt.limit, tt.target), func(t *testing.T) {
			var got []string
			for _, f := range limit(t, check(t, tt.fake.options(preflight.WithTarget(tt.target))...), tt.limit).Fix {
				if f.File == "" {
					t.Errorf("%s: no file", f.Line)
				}
				got = append(got, f.Where+": "+f.Line)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("lines\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tt.want, "\n\t"))
			}
		})
	}
}

func TestProxyIsToldHowManyAddresses(t *testing.T) {
	r := check(t, laptop.options(preflight.WithTarget(200_000))...)
	if note := limit(t, r, "net.ipv4.ip_local_port_range").Note; !strings.Contains(note, "it needs 4 addresses") {
		t.Errorf("note %q, want 4 addresses of 55,296 connections each in it", note)
	}
}

// TestLinesLeadToTarget changes a machine as the lines say and checks again.
func TestLinesLeadToTarget(t *testing.T) {
	rich := firewall.with("rich", map[string]string{
		"proc/meminfo":                        "MemTotal: 99000000000 kB\nMemAvailable: 98000000000 kB\n",
		"sys/fs/cgroup/user.slice/memory.max": "3000000000\n",
	})
	for _, reserve := range []int{-1, 0, 5000} {
		for _, target := range []int{1, 1000, 518_973, 1_038_000, 1_048_500, 3_000_000, 123_456_789, 1_000_000_000} {
			m := rich.with(fmt.Sprintf("%d/%d", reserve, target), map[string]string{
				"proc/sys/fs/nr_open":  "1048576",
				"proc/sys/fs/file-max": "1000000",
			})
			opts := []preflight.Option{preflight.WithTarget(target)}
			if reserve >= 0 {
				opts = append(opts, preflight.WithReserve(reserve))
			}
			for _, l := range check(t, m.options(opts...)...).Limits {
				if len(l.Fix) > 0 {
					apply(t, &m, l)
				}
			}
			if m.soft > mustParse(t, strings.TrimSpace(m.files["proc/sys/fs/nr_open"])) {
				t.Errorf("%s: RLIMIT_NOFILE %d above fs.nr_open %s", m.name, m.soft, m.files["proc/sys/fs/nr_open"])
			}
			r := check(t, m.options(opts...)...)
			if r.SafeConns < target || len(r.Short()) > 0 {
				t.Errorf("%s: %v, short %v", m.name, r, r.Short())
			}
		}
	}
}

// apply changes a machine as the first line says.
func apply(t *testing.T, f *fake, l preflight.Limit) {
	t.Helper()
	line := l.Fix[0].Line
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		t.Fatalf("cannot apply %q", line)
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	switch key {
	case "LimitNOFILE":
		f.soft = mustParse(t, value)
		f.hard = f.soft
	case "MemoryMax":
		unit := map[string]uint64{"M": 1 << 20, "G": 1 << 30}[value[len(value)-1:]]
		f.files[strings.TrimPrefix(l.Source, "/")] = fmt.Sprint(mustParse(t, value[:len(value)-1]) * unit)
	default:
		file := "proc/sys/" + strings.ReplaceAll(key, ".", "/")
		if _, ok := f.files[file]; !ok || "/"+file != l.Source {
			t.Fatalf("%q sets no file that was read", line)
		}
		f.files[file] = value
	}
}

func mustParse(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
