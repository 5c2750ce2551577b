package main

import (
	"net"
	"testing"
	"time"
)

func overEachProxy(t *testing.T, f func(t *testing.T, proxy string)) {
	t.Helper()
	for proxy := range proxies {
		t.Run(proxy, func(t *testing.T) {
			t.Parallel()
			f(t, proxy)
		})
	}
}

// A client comes back to its node, however often. When the node is killed it goes on at another, and has every
// message; the clients of other nodes notice nothing.
func TestAffinity(t *testing.T) {
	overEachProxy(t, func(t *testing.T, proxy string) {
		r := start(t, proxy, "-drain", "500ms")
		members := crowd(t, r, 12)
		l := publish(t, members, 2, 5*time.Millisecond)
		homes := make(map[string]int)
		for range 2 {
			for i, m := range members {
				home, _ := m.at()
				homes[home]++
				m.cut(t)
				if back, _ := m.at(); back != home {
					t.Errorf("member %d was on node %s and came back to %s", i, home, back)
				}
			}
		}
		if len(homes) < 2 {
			t.Errorf("all are on one node: %v", homes)
		}
		l.more(20)

		victim, _ := members[0].at()
		var moved []*member
		for _, m := range members {
			if home, _ := m.at(); home == victim {
				moved = append(moved, m)
			}
		}
		r.do("kill "+victim, "node "+victim+" is dead")
		for _, m := range moved {
			eventually(t, "a client of the dead node at another", func() bool { home, _ := m.at(); return home != victim })
		}
		l.more(20)
		r.do("start "+victim, "node "+victim+" is ready")
		l.more(20)
		for i, m := range members {
			m.mu.Lock()
			was, lost := m.nodes[0], m.losses()
			m.mu.Unlock()
			if want := 2 + b2i(was == victim); lost != want {
				t.Errorf("member %d, on node %s when %s was killed, has lost %d connections, want %d", i, was, victim, lost, want)
			}
		}

		// By address one comes home. By cookie one stays where one was taken in.
		away, _ := members[0].at()
		members[0].cut(t)
		home := away
		if proxy == "nginx-ip_hash" {
			home = victim
		}
		if back, _ := members[0].at(); back != home {
			t.Errorf("the first member was on %s, then on %s, and came back to %s, want %s", victim, away, back, home)
		}
		l.complete()
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Of an IPv4 address ip_hash takes three octets: neighbors share a node.
func TestNeighborsShareANode(t *testing.T) {
	t.Parallel()
	r := start(t, "nginx-ip_hash", "-drain", "100ms")
	nodes := make(map[string]bool)
	for network := range byte(6) {
		first, _ := join(t, r.addr, net.IPv4(127, 9, network, 1)).at()
		for _, host := range []byte{2, 77, 254} {
			if node, _ := join(t, r.addr, net.IPv4(127, 9, network, host)).at(); node != first {
				t.Errorf("127.9.%d.1 is on node %s, 127.9.%d.%d on %s", network, first, network, host, node)
			}
		}
		nodes[first] = true
	}
	if len(nodes) < 2 {
		t.Errorf("six networks are on %v", nodes)
	}
}
