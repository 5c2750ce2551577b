package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gohubkit/hubkit/preflight"
)

// What a connection takes here, where both its ends are: in the hub and the load process, and in the kernel. Both
// are a little more than was measured.
const (
	userBytes   = 5000
	kernelBytes = 11000
)

// spareDescriptors is how many descriptors a process needs for anything but connections. Preflight keeps some back
// too.
const spareDescriptors = 100

// plan is how a trial is spread over processes.
type plan struct {
	Conns int `json:"connections"`
	Rooms int `json:"rooms"`
	// Nodes are hub processes, Crowds load processes.
	Nodes  int `json:"hub_processes"`
	Crowds int `json:"load_processes"`
	// PerNode and PerCrowd is what each but the last begins with.
	PerNode  int `json:"connections_per_hub"`
	PerCrowd int `json:"connections_per_load"`
	// Ceiling is what a process may hold.
	Ceiling int `json:"ceiling"`
}

// newPlan spreads the connections, or says which limits stand in the way.
func newPlan(conns, rooms, nodes int, r preflight.Report) (plan, error) {
	p := plan{Conns: conns, Rooms: rooms, Ceiling: conns}
	var faults []error
	for _, l := range r.Limits {
		if l.Counts != preflight.Connections || l.Allows < 0 {
			continue
		}
		allows := l.Allows
		switch l.Name {
		case "RLIMIT_NOFILE", "fs.nr_open": // of each process
			p.Ceiling = min(p.Ceiling, allows-spareDescriptors)
			continue
		case "fs.file-max":
			allows /= 2 // both ends are files of this machine
		case "fs.epoll.max_user_watches":
			allows = allows * 2 / 3 // a connection is watched twice by the hub, as Allows has it, and once by the client
		}
		if allows < conns {
			faults = append(faults, fmt.Errorf("%s allows %d connections, not %d", l.Name, allows, conns))
			for _, f := range l.Fix {
				faults = append(faults, fmt.Errorf("\t%s: %s", f.File, f.Line))
			}
		}
	}
	if p.Ceiling < 1 {
		return p, errors.Join(append(faults, fmt.Errorf("a process has no descriptors for connections: %s", r.String()))...)
	}
	// When one hub is killed the others take its clients, some a few more than their share.
	p.Nodes = max(3, 1+ceilDiv(conns, p.Ceiling*98/100), nodes)
	p.PerNode = ceilDiv(conns, p.Nodes)
	p.Nodes = ceilDiv(conns, p.PerNode)
	p.Crowds = max(2, ceilDiv(conns, p.Ceiling))
	p.PerCrowd = ceilDiv(conns, p.Crowds)
	p.Crowds = ceilDiv(conns, p.PerCrowd)
	return p, errors.Join(faults...)
}

func (p plan) String() string {
	return fmt.Sprintf("%s connections: %d hubs of %s, %d load processes of %s, 1 Redis",
		grouped(p.Conns), p.Nodes, grouped(p.PerNode), p.Crowds, grouped(p.PerCrowd))
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// grouped writes a number with a comma between thousands.
func grouped[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
