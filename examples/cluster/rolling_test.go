package main

import (
	"slices"
	"testing"
	"time"
)

// All nodes are replaced, one after the other and in order, under load.
func TestRollingRestart(t *testing.T) {
	overEachProxy(t, func(t *testing.T, proxy string) { rollingRestart(t, proxy, 30, 2, "1s") })
}

// rollingRestart wants every member to have every message, in order; no restart to cost a member more than one
// reconnect; and no handshake to fail.
func rollingRestart(t *testing.T, proxy string, members, publishers int, drain string) {
	r := start(t, proxy, "-drain", drain)
	all := crowd(t, r, members)
	l := publish(t, all, publishers, 25*time.Millisecond)
	l.more(10)
	begun := time.Now()
	r.do("roll", "all nodes are new")
	took := time.Since(begun)
	l.more(10)
	l.complete()

	reconnects, most := 0, 0
	for i, m := range all {
		m.mu.Lock()
		for node, n := range m.lost {
			if n > 1 {
				t.Errorf("member %d has lost %d connections to node %s, which was restarted once: it was on %v", i, n, node, m.nodes)
			}
		}
		reconnects, most = reconnects+m.losses(), max(most, m.losses())
		m.mu.Unlock()
	}
	if reconnects < members {
		t.Errorf("%d members had %d reconnects, though all nodes were restarted", members, reconnects)
	}
	t.Logf("three restarts took %v; %d members had %d reconnects, at most %d each", took, members, reconnects, most)

	if proxies[proxy].program != "nginx" {
		return
	}
	for _, m := range all {
		_ = m.c.Close()
	}
	r.stop()
	passedOn := 0
	for _, h := range r.handshakes() {
		if h.status != "101" {
			t.Errorf("nginx answered a handshake with %s after %v", h.status, h.answers)
		}
		if slices.ContainsFunc(h.answers, func(a string) bool { return a != "101" }) {
			passedOn++
		}
	}
	if passedOn == 0 {
		t.Error("no handshake met a node that drained: nothing was proven")
	}
	t.Logf("%d handshakes were refused by a node and taken by another", passedOn)
}
