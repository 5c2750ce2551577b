package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/load"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/preflight"
)

// What a connection of the load client takes, in bytes: of the process, and of the kernel.
const (
	userBytes   = 1 << 10
	kernelBytes = 6 << 10
)

// prepare finds how many processes it takes and where they connect from and to, or says which limit does not let
// them. Warnings are for limits that are nearly reached.
func prepare(ctx context.Context, p *plan.Plan) (as []load.Assignment, warnings []string, err error) {
	report, err := preflight.Check(preflight.WithTarget(p.Conns), preflight.WithConnBytes(userBytes, kernelBytes))
	if err != nil {
		return nil, nil, err
	}
	if err := divide(p, report); err != nil {
		return nil, nil, err
	}
	if w := nearlyFull(p, report); w != "" {
		warnings = append(warnings, w)
	}
	var faults []error
	addrs := make([]netip.AddrPort, len(p.Targets))
	sources := make([][]netip.Addr, len(p.Targets))
	for i, target := range p.Targets {
		if addrs[i], err = resolve(ctx, target); err == nil {
			sources[i], err = chooseSources(p, addrs[i], ports(report))
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", target, err))
		}
	}
	for proc := range p.Procs {
		i := proc % len(p.Targets)
		as = append(as, load.Assignment{Plan: *p, Proc: proc, Addr: addrs[i].String(), Sources: sources[i], Token: p.Token, Header: p.Header})
	}
	return as, warnings, errors.Join(faults...)
}

// perProcess is how many connections a process may have by its limit of open files; 0 where there is none.
func perProcess(r preflight.Report) int {
	if r.Descriptors.Soft <= 0 {
		return 0
	}
	return max(1, r.Descriptors.Soft-64) // for pipes, epoll, and the binary's own
}

// divide chooses the number of processes: a multiple of the number of targets, so that each has one.
func divide(p *plan.Plan, r preflight.Report) error {
	each := perProcess(r)
	if p.Procs == 0 {
		p.Procs = len(p.Targets)
		if each > 0 {
			for p.Share(0) > each {
				p.Procs += len(p.Targets)
			}
		}
		if p.Procs > 256 {
			return fmt.Errorf("%d connections need %d processes with %d open files each; raise the limit:%s",
				p.Conns, p.Procs, r.Descriptors.Soft, fixes(r, "RLIMIT_NOFILE"))
		}
	}
	if p.Procs%len(p.Targets) != 0 {
		return fmt.Errorf("-procs %d is not a multiple of the %d URLs", p.Procs, len(p.Targets))
	}
	if p.Procs > p.Conns {
		return fmt.Errorf("-procs %d is more than -conns %d", p.Procs, p.Conns)
	}
	if each > 0 && p.Share(0) > each {
		return fmt.Errorf("%d connections do not fit into a process with %d open files: leave out -procs, or raise the limit:%s",
			p.Share(0), r.Descriptors.Soft, fixes(r, "RLIMIT_NOFILE"))
	}
	for _, l := range r.Limits {
		if l.Name != "fs.file-max" && !strings.Contains(l.Name, "memory") || l.Allows < 0 || l.Allows >= p.Conns {
			continue
		}
		return fmt.Errorf("%d connections do not fit into this machine: %s is %s %s, which allows %d more:%s",
			p.Conns, l.Name, l.Value, l.Unit, l.Allows, fixes(r, l.Name))
	}
	return nil
}

func nearlyFull(p *plan.Plan, r preflight.Report) string {
	if each := perProcess(r); each > 0 && p.Share(0) > each*9/10 {
		return fmt.Sprintf("each process uses %d of its %d file descriptors", p.Share(0)+64, r.Descriptors.Soft)
	}
	return ""
}

// fixes are the lines that raise a limit.
func fixes(r preflight.Report, name string) string {
	var b strings.Builder
	for _, l := range r.Limits {
		for _, f := range l.Fix {
			if l.Name == name {
				fmt.Fprintf(&b, "\n  %s: %s", f.File, f.Line)
			}
		}
	}
	if b.Len() == 0 {
		return " (this system does not say how)"
	}
	return b.String()
}

func resolve(ctx context.Context, target string) (netip.AddrPort, error) {
	u, err := url.Parse(target)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return netip.AddrPort{}, err
	}
	best := ips[0]
	for _, ip := range ips { // a server on this machine more often listens on IPv4
		if ip.Unmap().Is4() {
			best = ip
			break
		}
	}
	return netip.AddrPortFrom(best.Unmap(), uint16(n)), nil
}

// ports is how many ports one source address has; 0 where it is not known.
func ports(r preflight.Report) int {
	for _, l := range r.Limits {
		var low, high int
		if l.Name == "ip_local_port_range" {
			if _, err := fmt.Sscan(l.Value, &low, &high); err == nil && high > low {
				return high - low + 1
			}
		}
	}
	return 0
}

// chooseSources returns the addresses to connect from; none where the system's choice will do.
func chooseSources(p *plan.Plan, to netip.AddrPort, ports int) ([]netip.Addr, error) {
	conns := (p.Conns + len(p.Targets) - 1) / len(p.Targets)
	need := 1
	if ports > 0 {
		need = (conns*11/10 + ports - 1) / ports // a tenth for those that are closing
	}
	var given []netip.Addr
	for _, s := range p.Sources {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, err
		}
		if a.Is4() == to.Addr().Is4() {
			given = append(given, a)
		}
	}
	spreads := to.Addr().Is4() && to.Addr().IsLoopback()
	switch {
	case len(p.Sources) > 0 && len(given) == 0:
		return nil, fmt.Errorf("no -source is of the same family as %v", to.Addr())
	case len(given) > 0 && len(given) < need, len(given) == 0 && need > 1 && !spreads:
		return nil, fmt.Errorf("one address has only %d local ports to reach %v (sysctl net.ipv4.ip_local_port_range): %d connections need %d addresses; give them with -source",
			ports, to, conns, need)
	case len(given) > 0 || need == 1:
		return given, nil
	}
	for i := range need { // all of 127.0.0.0/8 is this machine
		given = append(given, netip.AddrFrom4([4]byte{127, 1, byte(i / 250), byte(1 + i%250)}))
	}
	return given, nil
}
