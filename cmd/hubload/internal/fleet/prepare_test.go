package fleet

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/preflight"
)

func TestDivide(t *testing.T) {
	tests := []struct {
		name                        string
		conns, targets, procs, soft int
		want                        int
		err                         string
	}{
		{"one", 1000, 1, 0, 1024, 2, ""},
		{"fits", 900, 1, 0, 1024, 1, ""},
		{"no limit", 1_000_000, 1, 0, -1, 1, ""},
		{"each target has its own", 10, 3, 0, 1024, 3, ""},
		{"a multiple of targets", 3000, 2, 0, 1024, 4, ""},
		{"as told", 1000, 1, 5, 1024, 5, ""},
		{"not a multiple", 1000, 2, 3, 1024, 0, "not a multiple"},
		{"more than connections", 2, 1, 3, 1024, 0, "more than -conns"},
		{"too few", 2000, 1, 2, 1024, 0, "do not fit"},
		{"too many", 1_000_000, 1, 0, 128, 0, "raise the limit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &plan.Plan{Conns: tt.conns, Procs: tt.procs, Targets: make([]string, tt.targets)}
			err := divide(p, preflight.Report{Descriptors: preflight.Descriptors{Soft: tt.soft}})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("%v, want %q", err, tt.err)
			}
			if err == nil && p.Procs != tt.want {
				t.Errorf("%d processes, want %d", p.Procs, tt.want)
			}
		})
	}
}

func TestMachineLimits(t *testing.T) {
	r := preflight.Report{Limits: []preflight.Limit{{
		Name: "fs.file-max", Value: "1000", Unit: "open files", Allows: 500,
		Fix: []preflight.Fix{{File: "/etc/sysctl.d/90.conf", Line: "fs.file-max = 4000"}},
	}}}
	err := divide(&plan.Plan{Conns: 501, Targets: []string{""}}, r)
	if err == nil || !strings.Contains(err.Error(), "fs.file-max = 4000") {
		t.Errorf("%v, want the line to change", err)
	}
	if err := divide(&plan.Plan{Conns: 500, Targets: []string{""}}, r); err != nil {
		t.Error(err)
	}
}

func TestSources(t *testing.T) {
	loopback, far, six := netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("[::1]:80")
	tests := []struct {
		name  string
		conns int
		to    netip.AddrPort
		given []string
		want  int
		err   string
	}{
		{"few", 1000, far, nil, 0, ""},
		{"loopback spreads", 100_000, loopback, nil, 4, ""},
		{"a million", 1_000_000, loopback, nil, 39, ""},
		{"far needs sources", 100_000, far, nil, 0, "-source"},
		{"IPv6 has one loopback address", 100_000, six, nil, 0, "-source"},
		{"given", 50_000, far, []string{"192.0.2.7", "192.0.2.8"}, 2, ""},
		{"too few given", 100_000, far, []string{"192.0.2.7"}, 0, "4 addresses"},
		{"of another family", 10, six, []string{"192.0.2.7"}, 0, "family"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := chooseSources(&plan.Plan{Conns: tt.conns, Targets: []string{""}, Sources: tt.given}, tt.to, 28232)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("%v, want %q", err, tt.err)
			}
			distinct := map[netip.Addr]bool{}
			for _, a := range got {
				distinct[a] = true
			}
			if err == nil && len(distinct) != tt.want {
				t.Errorf("%v, want %d addresses", got, tt.want)
			}
		})
	}
}
