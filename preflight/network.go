package preflight

import (
	"errors"
	"fmt"
	"io/fs"
)

const (
	nameConntrack = "net.netfilter.nf_conntrack_max"
	nameTCPMem    = "net.ipv4.tcp_mem"
	nameSomaxconn = "net.core.somaxconn"
	namePorts     = "net.ipv4.ip_local_port_range"

	countsQueued  = "connections with data queued at once"
	countsWaiting = "connections waiting to be accepted"
	countsProxied = "connections from one proxy address to one hub address"
)

func (m *machine) network() []finding {
	var findings []finding
	if f, loaded := m.conntrack(); loaded {
		findings = append(findings, f)
	}
	return append(findings, m.tcpMem(), m.somaxconn(), m.ports())
}

// conntrack is the limit on connections that netfilter follows. It exists only while the module is
// loaded.
func (m *machine) conntrack() (f finding, loaded bool) {
	const file = "proc/sys/net/netfilter/nf_conntrack_max"
	const unit = "entries"
	value, err := m.number(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{}, false
	case err != nil:
		return unknownLimit(nameConntrack, "/"+file, unit, err), true
	}
	count := m.numberOr("proc/sys/net/netfilter/nf_conntrack_count")
	if count == 0 && m.established() > 0 {
		l := newLimit(nameConntrack, "/"+file, unit, value, count, Unlimited)
		l.Note = "The module is loaded but follows nothing here: it has no entry for the connections there are."
		return finding{Limit: l}, true
	}
	used := atLeast0(count)
	l := newLimit(nameConntrack, "/"+file, unit, value, count, atLeast0(value-value/10-used))
	l.Note = "One entry for each connection, two with the proxy on the same machine. A tenth is kept back: " +
		"the entries of closed connections stay for two minutes. When it is full the kernel drops packets."
	return finding{Limit: l, raise: func(l *Limit, goal int64) {
		if !l.bounds() || int64(l.Allows) >= goal {
			return
		}
		n := goal + used
		n = powerOfTwo(n + n/9 + 1)
		l.Fix = []Fix{
			sysctl(nameConntrack, n),
			{"kubernetes", "kube-proxy configuration, conntrack", fmt.Sprintf("min: %d", n)},
		}
	}}, true
}

// established is the number of TCP connections in this network namespace.
func (m *machine) established() int64 {
	s, err := m.text("proc/self/net/snmp")
	if err != nil {
		return Unknown
	}
	n, err := column(s, "Tcp:", "CurrEstab")
	if err != nil {
		return Unknown
	}
	return n
}

// tcpMem is the memory for data that is queued in sockets.
func (m *machine) tcpMem() finding {
	const file = "proc/sys/net/ipv4/tcp_mem"
	const unit = "pages"
	ns, err := m.numbers(file, 3)
	if err != nil {
		f := unknownLimit(nameTCPMem, "/"+file, unit, err)
		f.Counts = countsQueued
		if errors.Is(err, fs.ErrNotExist) {
			f.Note = "not to be seen from a container's network; it is the machine's"
		}
		return f
	}
	inUse := int64(Unknown)
	if s, err := m.text("proc/self/net/sockstat"); err == nil {
		if n, err := lookup(s, "TCP:", "mem"); err == nil {
			inUse = n
		}
	}
	l := newLimit(nameTCPMem, "/"+file, unit, ns[2], inUse, atLeast0(ns[2]-atLeast0(inUse)))
	if ns[2] != Unlimited {
		l.Value = fmt.Sprintf("%d %d %d", ns[0], ns[1], ns[2])
	}
	l.Counts = countsQueued
	l.Note = "An idle connection holds no page, one with data queued at least one. " +
		"From the second number on TCP shrinks its buffers, from the third it drops data."
	return finding{Limit: l, raise: func(l *Limit, goal int64) {
		if l.Allows < 0 || int64(l.Allows) >= goal {
			return
		}
		// The kernel's own proportions: 3/4, 1 and 3/2 of one number.
		top := powerOfTwo(goal + atLeast0(inUse))
		l.Fix = []Fix{sysctl(nameTCPMem, fmt.Sprintf("%d %d %d", top/2, top/3*2, top))}
	}}
}

const (
	// A server may be kept from accepting for an eighth of a second, and clients come back over two
	// seconds: a sixteenth of them waits.
	burstShare = 16
	// leastBacklog is the kernel's default since 5.4; mostBacklog is what older kernels can do.
	leastBacklog = 4096
	mostBacklog  = 65535
)

// somaxconn is the longest queue of a listener.
func (m *machine) somaxconn() finding {
	const file = "proc/sys/net/core/somaxconn"
	const unit = "connections"
	value, err := m.number(file)
	if err != nil {
		f := unknownLimit(nameSomaxconn, "/"+file, unit, err)
		f.Counts = countsWaiting
		return f
	}
	l := newLimit(nameSomaxconn, "/"+file, unit, value, Unknown, value)
	l.Counts = countsWaiting
	l.Note = "Go listens with this backlog. When it is full the kernel drops handshakes, " +
		"which clients repeat after a second."
	return finding{Limit: l, raise: func(l *Limit, goal int64) {
		want := min(max(powerOfTwo(goal/burstShare), leastBacklog), mostBacklog)
		if l.Allows >= 0 && int64(l.Allows) < want {
			l.Fix = namespaced(nameSomaxconn, want)
			l.Note += " Kubernetes takes the line only if the kubelet has --allowed-unsafe-sysctls=" + nameSomaxconn + "."
		}
	}}
}

// widestPorts is as wide a range as leaves the usual ports of services alone.
const (
	widestPorts      = "10240 65535"
	widestPortsCount = 65535 - 10240 + 1
)

// ports is the range of local ports of outgoing connections, such as those of a proxy to the hub.
func (m *machine) ports() finding {
	const file = "proc/sys/net/ipv4/ip_local_port_range"
	const unit = "ports"
	ns, err := m.numbers(file, 2)
	if err == nil && (ns[0] < 1 || ns[1] < ns[0] || ns[1] > 65535) {
		err = fmt.Errorf("%w: %d to %d", errMalformed, ns[0], ns[1])
	}
	if err != nil {
		f := unknownLimit(namePorts, "/"+file, unit, err)
		f.Counts = countsProxied
		return f
	}
	count := ns[1] - ns[0] + 1
	l := newLimit(namePorts, "/"+file, unit, count, Unknown, count)
	l.Value = fmt.Sprintf("%d %d", ns[0], ns[1])
	l.Counts = countsProxied
	l.Note = "For a proxy on this machine; clients that connect directly take no port here."
	return finding{Limit: l, raise: func(l *Limit, goal int64) {
		if count >= goal {
			return
		}
		if count < widestPortsCount {
			l.Fix = namespaced(namePorts, widestPorts)
		}
		if each := max(count, widestPortsCount); each < goal {
			l.Note += fmt.Sprintf(" For %s it needs %d addresses or ports of hubs, or as many addresses of its own "+
				"(nginx: proxy_bind); through a Unix socket it takes none.", grouped(goal), (goal+each-1)/each)
		}
	}}
}
