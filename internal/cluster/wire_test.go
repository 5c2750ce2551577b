package cluster_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire is the network between one node and Redis, which can be cut.
type wire struct {
	ln    net.Listener
	to    string
	tasks sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func startWire(t testing.TB, to string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{ln: ln, to: to, conns: make(map[net.Conn]bool)}
	w.tasks.Go(w.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		w.setCut(true)
		w.tasks.Wait()
	})
	return w
}

func (w *wire) addr() string { return w.ln.Addr().String() }

// setCut breaks all connections, and every new one at once, until it is called with false.
func (w *wire) setCut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	for c := range w.conns {
		if cut {
			_ = c.Close()
		}
	}
}

// keep notes a connection, unless the wire is cut.
func (w *wire) keep(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		_ = c.Close()
		return false
	}
	w.conns[c] = true
	return true
}

func (w *wire) forget(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
	_ = c.Close()
}

func (w *wire) accept() {
	for {
		c, err := w.ln.Accept()
		if err != nil {
			return
		}
		if w.keep(c) {
			w.tasks.Go(func() { w.carry(c) })
		}
	}
}

func (w *wire) carry(from net.Conn) {
	defer w.forget(from)
	to, err := net.Dial("tcp", w.to)
	if err != nil || !w.keep(to) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(from, to) // it ends when either side does
		_ = from.Close()
	})
	_, _ = io.Copy(to, from)
	w.forget(to)
	back.Wait()
}
