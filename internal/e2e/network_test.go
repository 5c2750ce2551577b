package e2e_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// network is a TCP proxy in front of a service that fails as networks do.
type network struct {
	t      testing.TB
	target string
	ln     net.Listener
	wg     sync.WaitGroup

	mu     sync.Mutex
	down   bool
	routes map[*route]struct{}
}

// route is one connection through the network.
type route struct {
	client, server *net.TCPConn
	up, down       direction
	once           sync.Once
	gone           chan struct{} // closed when the route has been
}

// direction is what a route carries one way.
type direction struct {
	mu      sync.Mutex
	blocked bool
	open    chan struct{} // closed when what is blocked may go on
}

// newNetwork puts a network in front of a service. It ends with the test.
func newNetwork(t testing.TB, s *service) *network {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	n := &network{t: t, target: s.addr, ln: ln, routes: make(map[*route]struct{})}
	n.wg.Go(n.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		n.setDown(true)
		n.wg.Wait()
	})
	return n
}

func (n *network) url() string { return "ws://" + n.ln.Addr().String() }

func (n *network) accept() {
	for {
		c, err := n.ln.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				n.t.Error(err)
			}
			return
		}
		n.wg.Go(func() { n.carry(c.(*net.TCPConn)) })
	}
}

func (n *network) carry(c *net.TCPConn) {
	s, err := net.Dial("tcp", n.target)
	if err != nil {
		reset(c)
		return
	}
	r := &route{client: c, server: s.(*net.TCPConn), gone: make(chan struct{})}
	n.mu.Lock()
	down := n.down
	if !down {
		n.routes[r] = struct{}{}
	}
	n.mu.Unlock()
	if down {
		r.cut()
		return
	}
	n.wg.Go(func() { r.copy(r.server, r.client, &r.up) })
	r.copy(r.client, r.server, &r.down)
	n.mu.Lock()
	delete(n.routes, r)
	n.mu.Unlock()
}

// copy carries one direction to its end, and ends the route with it, in order where it ended so.
func (r *route) copy(to, from *net.TCPConn, d *direction) {
	buf := make([]byte, 32<<10)
	for {
		k, err := from.Read(buf)
		if !d.pass(r.gone) {
			return
		}
		if k > 0 {
			if _, err := to.Write(buf[:k]); err != nil {
				r.cut()
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			r.once.Do(func() {
				close(r.gone)
				_, _ = r.client.Close(), r.server.Close()
			})
			return
		case err != nil:
			r.cut()
			return
		}
	}
}

// pass waits while the direction is blocked. It reports whether the route is still there.
func (d *direction) pass(gone <-chan struct{}) bool {
	for {
		d.mu.Lock()
		blocked, open := d.blocked, d.open
		d.mu.Unlock()
		if !blocked {
			return true
		}
		select {
		case <-open:
		case <-gone:
			return false
		}
	}
}

func (d *direction) block() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.blocked {
		d.blocked, d.open = true, make(chan struct{})
	}
}

// cut ends a route as a crash at both ends would: what is under way is lost.
func (r *route) cut() {
	r.once.Do(func() {
		close(r.gone)
		reset(r.client)
		reset(r.server)
	})
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// now lists the routes of the moment.
func (n *network) now() []*route {
	n.mu.Lock()
	defer n.mu.Unlock()
	rs := make([]*route, 0, len(n.routes))
	for r := range n.routes {
		rs = append(rs, r)
	}
	return rs
}

// setDown takes the network down, with all that it carries, or up again.
func (n *network) setDown(down bool) {
	n.mu.Lock()
	n.down = down
	n.mu.Unlock()
	if !down {
		return
	}
	for _, r := range n.now() {
		r.cut()
	}
}

// swallow drops what comes from now on, on the routes of the moment: in both directions, or only what goes down to
// the client. Nobody is told.
func (n *network) swallow(both bool) {
	for _, r := range n.now() {
		r.down.block()
		if both {
			r.up.block()
		}
	}
}
