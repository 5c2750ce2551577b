package redis_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// name is an address that points at a server, such as a virtual IP or a DNS name. Connections stay where they are when it is
// pointed elsewhere.
type name struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	conns  []net.Conn
	tasks  sync.WaitGroup
}

func newName(t *testing.T, target string) *name {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &name{listener: l, target: target}
	n.tasks.Go(n.accept)
	t.Cleanup(func() {
		_ = l.Close()
		n.cut()
		n.tasks.Wait()
	})
	return n
}

func (n *name) addr() string { return n.listener.Addr().String() }

func (n *name) point(target string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.target = target
}

func (n *name) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		_ = c.Close()
	}
	n.conns = nil
}

func (n *name) accept() {
	for {
		in, err := n.listener.Accept()
		if err != nil {
			return
		}
		n.mu.Lock()
		out, err := net.Dial("tcp", n.target)
		if err != nil {
			_ = in.Close()
		} else {
			n.conns = append(n.conns, in, out)
			n.tasks.Go(func() { carry(in, out) })
			n.tasks.Go(func() { carry(out, in) })
		}
		n.mu.Unlock()
	}
}

func carry(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = from.Close()
	_ = to.Close()
}
