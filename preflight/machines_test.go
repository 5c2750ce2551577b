package preflight_test

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gohubkit/hubkit/preflight"
)

// fake is a machine: what its files hold, and its RLIMIT_NOFILE.
type fake struct {
	name  string
	files map[string]string
	soft  uint64
	hard  uint64
	open  int
}

// infinite is RLIM_INFINITY of Linux.
const infinite = math.MaxUint64

func (f fake) options(more ...preflight.Option) []preflight.Option {
	root := fstest.MapFS{}
	for name, content := range f.files {
		root[name] = &fstest.MapFile{Data: []byte(content)}
	}
	for fd := range f.open {
		root[fmt.Sprintf("proc/self/fd/%d", fd)] = &fstest.MapFile{}
	}
	return append([]preflight.Option{
		preflight.WithFiles(root),
		preflight.WithDescriptorLimit(f.soft, f.hard),
	}, more...)
}

// with returns a copy with files that are other or new; an empty one is removed.
func (f fake) with(name string, files map[string]string) fake {
	f.name = name
	f.files = maps.Clone(f.files)
	maps.Copy(f.files, files)
	maps.DeleteFunc(f.files, func(_, content string) bool { return content == "" })
	return f
}

// laptop is Debian as installed: systemd has raised what it can.
var laptop = fake{
	name: "laptop",
	soft: 524288, hard: 524288, open: 10,
	files: map[string]string{
		"proc/sys/fs/nr_open":                       "1073741816\n",
		"proc/sys/fs/file-max":                      "9223372036854775807\n",
		"proc/sys/fs/file-nr":                       "12064\t0\t9223372036854775807\n",
		"proc/sys/fs/epoll/max_user_watches":        "3495253\n",
		"proc/sys/net/core/somaxconn":               "4096\n",
		"proc/sys/net/ipv4/ip_local_port_range":     "32768\t60999\n",
		"proc/sys/net/ipv4/tcp_mem":                 "188127\t250837\t376254\n",
		"proc/self/net/sockstat":                    "sockets: used 1100\nTCP: inuse 30 orphan 0 tw 2 alloc 40 mem 254\nUDP: inuse 5 mem 9\n",
		"proc/self/cgroup":                          "0::/user.slice/user-1000.slice/session-2.scope\n",
		"proc/meminfo":                              "MemTotal:       16000000 kB\nMemFree:         3000000 kB\nMemAvailable:   12000000 kB\n",
		"sys/fs/cgroup/user.slice/memory.max":       "max\n",
		"sys/fs/cgroup/user.slice/memory.high":      "max\n",
		"sys/fs/cgroup/user.slice/memory.current":   "4000000000\n",
		"sys/fs/cgroup/user.slice/memory.stat":      "anon 1\n",
		"sys/fs/cgroup/user.slice/cgroup.max.depth": "max\n",
	},
}

// pod is a container with 512 MiB; its network namespace has no tcp_mem.
var pod = fake{
	name: "pod",
	soft: 1048576, hard: 1048576, open: 8,
	files: map[string]string{
		"proc/sys/fs/nr_open":                   "1048576\n",
		"proc/sys/fs/file-max":                  "6553600\n",
		"proc/sys/fs/file-nr":                   "20000\t0\t6553600\n",
		"proc/sys/fs/epoll/max_user_watches":    "14000000\n",
		"proc/sys/net/core/somaxconn":           "128\n",
		"proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
		"proc/self/cgroup":                      "0::/\n",
		"proc/meminfo":                          "MemTotal:       64000000 kB\nMemAvailable:   48000000 kB\n",
		"sys/fs/cgroup/memory.max":              "536870912\n",
		"sys/fs/cgroup/memory.high":             "max\n",
		"sys/fs/cgroup/memory.current":          "134217728\n",
		"sys/fs/cgroup/memory.stat":             "anon 50000000\nfile 84217728\ninactive_file 67108864\n",
	},
}

// dockerV1 sees the path that its cgroup has on the host, and its own cgroup mounted as the root.
var dockerV1 = pod.with("docker, cgroup v1", map[string]string{
	"sys/fs/cgroup/memory.max":                   "",
	"sys/fs/cgroup/memory.high":                  "",
	"sys/fs/cgroup/memory.current":               "",
	"sys/fs/cgroup/memory.stat":                  "",
	"proc/self/cgroup":                           "12:pids:/docker/4f1\n4:cpu,memory:/docker/4f1\n0::/docker/4f1\n",
	"sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",
	"sys/fs/cgroup/memory/memory.usage_in_bytes": "120000000\n",
	"sys/fs/cgroup/memory/memory.stat":           "inactive_file 7\ntotal_inactive_file 20000000\n",
})

// slice is a service whose own cgroup has more than the slice above it.
var slice = laptop.with("slice above", map[string]string{
	"proc/self/cgroup": "0::/web.slice/hub.service\n",
	"sys/fs/cgroup/web.slice/hub.service/memory.max":     "8589934592\n",
	"sys/fs/cgroup/web.slice/hub.service/memory.current": "1000000\n",
	"sys/fs/cgroup/web.slice/memory.max":                 "4294967296\n",
	"sys/fs/cgroup/web.slice/memory.high":                "2147483648\n",
	"sys/fs/cgroup/web.slice/memory.current":             "47483648\n",
})

// firewall follows every connection.
var firewall = laptop.with("firewall", map[string]string{
	"proc/sys/net/netfilter/nf_conntrack_max":   "65536\n",
	"proc/sys/net/netfilter/nf_conntrack_count": "1536\n",
})

// idleFirewall has the module, and no rule that uses it.
var idleFirewall = laptop.with("conntrack unused", map[string]string{
	"proc/sys/net/netfilter/nf_conntrack_max":   "65536\n",
	"proc/sys/net/netfilter/nf_conntrack_count": "0\n",
	"proc/self/net/snmp":                        "Ip: Forwarding\nIp: 1\nTcp: RtoMin CurrEstab InSegs\nTcp: 200 12 1000\n",
})

// freshFirewall may come to use it: nothing is connected yet.
var freshFirewall = idleFirewall.with("conntrack not used yet", map[string]string{
	"proc/self/net/snmp": "Tcp: RtoMin CurrEstab InSegs\nTcp: 200 0 1000\n",
})

// small is a limit below what is kept back.
var small = fake{name: "small", soft: 60, hard: 60, open: 20, files: laptop.files}

// unlimited is a machine without any limit that counts.
var unlimited = fake{
	name: "unlimited",
	soft: infinite, hard: infinite,
	files: map[string]string{
		"proc/sys/fs/nr_open":                        "18446744073709551615",
		"proc/sys/fs/file-max":                       "9223372036854775807",
		"proc/self/cgroup":                           "4:memory:/\n0::/\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
	},
}

// blank has nothing to read.
var blank = fake{name: "blank", soft: 1024, hard: 4096}

// garbage has files that make no sense.
var garbage = laptop.with("garbage", func() map[string]string {
	files := map[string]string{"proc/sys/net/netfilter/nf_conntrack_max": "many"}
	for name := range laptop.files {
		files[name] = "\xffgarbage : 12 -7\n"
	}
	return files
}())

var fakes = []fake{
	laptop, pod, dockerV1, slice, firewall, idleFirewall, freshFirewall, small, unlimited, blank, garbage,
}

func check(t testing.TB, opts ...preflight.Option) preflight.Report {
	t.Helper()
	r, err := preflight.Check(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func limit(t testing.TB, r preflight.Report, name string) preflight.Limit {
	t.Helper()
	var names []string
	for _, l := range r.Limits {
		if l.Name == name {
			return l
		}
		names = append(names, l.Name)
	}
	t.Fatalf("no limit %q among %s", name, strings.Join(names, ", "))
	return preflight.Limit{}
}
