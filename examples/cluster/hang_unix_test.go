//go:build unix

package main

import (
	"strings"
	"syscall"
	"testing"
)

// HAProxy asks the nodes: one that hangs with its port open gets no more handshakes.
func TestHungNode(t *testing.T) {
	t.Parallel()
	r := start(t, "haproxy", "-drain", "100ms")
	r.signal("node a", syscall.SIGSTOP)
	t.Cleanup(func() { r.signal("node a", syscall.SIGCONT) })
	eventually(t, "HAProxy to notice", func() bool { return strings.Contains(r.proc.Output(), "Server hubs/a is DOWN") })
	for range 6 {
		if node, _ := join(t, r.addr, nil).at(); node == "a" {
			t.Error("a client is on the node that hangs")
		}
	}
}
