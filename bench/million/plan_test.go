package main

import (
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/preflight"
)

func report(files, memory, watches int) preflight.Report {
	return preflight.Report{Limits: []preflight.Limit{
		{Name: "RLIMIT_NOFILE", Counts: preflight.Connections, Allows: files},
		{Name: "machine memory", Counts: preflight.Connections, Allows: memory},
		{Name: "fs.epoll.max_user_watches", Counts: preflight.Connections, Allows: watches,
			Fix: []preflight.Fix{{File: "/etc/sysctl.conf", Line: "fs.epoll.max_user_watches = 9"}}},
		{Name: "fs.file-max", Counts: preflight.Connections, Allows: preflight.Unlimited},
		{Name: "somaxconn", Counts: "handshakes", Allows: 1},
	}}
}

func TestPlan(t *testing.T) {
	p, err := newPlan(1_000_000, 10_000, 0, report(19_736, 1_300_000, 2_700_000))
	if err != nil {
		t.Fatal(err)
	}
	for name, held := range map[string]int{
		"a hub":                        p.PerNode,
		"a load process":               p.PerCrowd,
		"a hub when another is killed": ceilDiv(p.Conns, p.Nodes-1) * 101 / 100,
	} {
		if held > p.Ceiling || held > 19_736 {
			t.Errorf("%s holds %d, which may hold %d", name, held, p.Ceiling)
		}
	}
	if p.Nodes*p.PerNode < p.Conns || p.Crowds*p.PerCrowd < p.Conns || (p.Crowds-1)*p.PerCrowd >= p.Conns {
		t.Errorf("%+v", p)
	}
	if p, err = newPlan(300, 3, 0, report(19_736, 1_300_000, 2_700_000)); err != nil || p.Nodes != 3 || p.Crowds != 2 {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = newPlan(1_000_000, 10_000, 0, report(19_736, 900_000, 1_000_000))
	if err == nil {
		t.Fatal("a machine too small is not refused")
	}
	for _, want := range []string{"machine memory allows 900000", "max_user_watches allows 666666", "fs.epoll.max_user_watches = 9"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if _, err = newPlan(100, 1, 0, report(50, 1_000_000, 1_000_000)); err == nil {
		t.Error("a process without descriptors is not refused")
	}
}

// Every room gets its turn, and rooms have about the same number of members.
func TestRooms(t *testing.T) {
	for _, rooms := range []int{1, 2, 100, 7919, 10_000, 2 * 7919} {
		seen := make(map[int]bool)
		for i := range rooms {
			seen[roomOf(i+3*rooms, rooms)] = true
		}
		if len(seen) != rooms {
			t.Errorf("%d of %d rooms get a message", len(seen), rooms)
		}
	}
	members := make([]int, 100)
	for i := range 10_000 {
		members[homeOf(i, len(members))]++
	}
	for k, n := range members {
		if n < 50 || n > 150 { // five standard deviations
			t.Errorf("room %d has %d members, want about 100", k, n)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1_000_000: "1,000,000", -1234: "-1,234"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
