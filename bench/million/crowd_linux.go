package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gohubkit/hubkit/internal/wsload"
	"github.com/gohubkit/hubkit/protocol"
)

// openTimeout bounds how long a load process may take for its connections.
const openTimeout = 10 * time.Minute

// Crowd is a load process. Its exported methods but those of a wsload.Handler are its orders.
type Crowd struct {
	spec   crowdSpec
	follow *follower
	client *wsload.Client
	nodes  []netip.AddrPort
	beater *beater // nil for none
	driver
}

// driver dials. It belongs to the client's one loop.
type driver struct {
	crowd   *Crowd
	at      []uint16 // the node that each connection dials
	pending []bool   // dialed, and not in both rooms yet
	under   int      // how many are
	next    int      // never dialed yet
	due     []int    // to be dialed again
}

func newCrowd(spec crowdSpec) (*Crowd, error) {
	c := &Crowd{spec: spec, follow: newFollower(spec)}
	c.driver = driver{crowd: c, at: make([]uint16, spec.Conns), pending: make([]bool, spec.Conns), next: spec.Conns}
	for _, a := range spec.Nodes {
		to, err := netip.ParseAddrPort(a)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, to)
	}
	for i := range c.at {
		c.at[i] = uint16((spec.First + i) / spec.PerNode)
	}
	var err error
	c.client, err = wsload.New(wsload.Options{
		Addr: spec.Nodes[0], Conns: spec.Conns, Subprotocol: protocol.Subprotocol,
		Server:  func(i int) netip.AddrPort { return c.nodes[c.at[i]] },
		Path:    c.follow.path,
		Stream:  spec.Stream,
		Handler: &c.driver,
		Sources: 250,
	})
	if err == nil && spec.Beat > 0 {
		c.beater = &beater{crowd: c, every: spec.Beat}
		go c.beater.run()
	}
	return c, err
}

// fill keeps as many connections on the way as may be.
func (d *driver) fill() {
	for d.under < d.crowd.spec.Window {
		var i int
		switch {
		case len(d.due) > 0:
			i, d.due = d.due[0], d.due[1:]
		case d.next < d.crowd.spec.Conns:
			i = d.next
			d.next++
		default:
			return
		}
		d.under++
		d.pending[i] = true
		if err := d.crowd.client.Dial(i); err != nil {
			d.lost(i, err)
		}
	}
}

// settled ends the way of a connection, whichever way it ends.
func (d *driver) settled(i int) {
	if d.pending[i] {
		d.pending[i] = false
		d.under--
	}
}

// Opened implements wsload.Handler.
func (d *driver) Opened(i int, _ string) {
	d.crowd.follow.opened(i)
	if d.crowd.spec.Stream { // the request has said all there is
		return
	}
	d.crowd.client.Send(i, wsload.Text, d.crowd.follow.hello(i))
}

// Message implements wsload.Handler.
func (d *driver) Message(i int, data []byte) {
	settled, again := d.crowd.follow.frame(i, data)
	if again != nil {
		time.AfterFunc(again.after, func() {
			d.crowd.client.Do(0, func() {
				if q := d.crowd.follow.join(i, again.room); q != nil {
					d.crowd.client.Send(i, wsload.Text, q)
				}
			})
		})
	}
	if settled && d.pending[i] {
		d.settled(i)
		d.fill()
	}
}

// Pong implements wsload.Handler: nothing is pinged from here.
func (d *driver) Pong(int, []byte) {}

// Closed implements wsload.Handler.
func (d *driver) Closed(i int, err error) {
	d.lost(i, err)
	d.fill()
}

// lost moves a client to another node than the one it has lost, as a load balancer would, and has it dialed again
// when its time has come.
func (d *driver) lost(i int, err error) {
	d.settled(i)
	c := d.crowd
	if n := len(c.nodes); n > 1 {
		d.at[i] = uint16((int(d.at[i]) + 1 + rand.IntN(n-1)) % n)
	}
	code, reason := 1006, ""
	if ce, ok := errors.AsType[*wsload.CloseError](err); ok {
		code, reason = ce.Code, ce.Reason
	}
	time.AfterFunc(c.follow.lost(i, code, reason), func() {
		c.client.Do(0, func() {
			d.due = append(d.due, i)
			d.fill()
		})
	})
}

// Ready answers when the process is there.
func (c *Crowd) Ready(None, *None) error { return nil }

// Open makes the connections and answers when all are welcome and members of both their rooms.
func (c *Crowd) Open(None, *None) error {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	c.client.Do(0, func() {
		c.next = 0
		c.fill()
	})
	for {
		s := c.follow.snapshot()
		switch {
		case s.any():
			return fmt.Errorf("%+v: %s", s.Faults, s.Fault)
		case s.Joined == 2*c.spec.Conns:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d connections joined: %w", s.Joined/2, c.spec.Conns, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Silence ends the clients' own beats: from then on they answer pings only.
func (c *Crowd) Silence(None, *None) error {
	if c.beater != nil {
		c.beater.ended.Store(true)
	}
	return nil
}

// Stats answers with what has happened so far.
func (c *Crowd) Stats(_ None, s *CrowdStats) error {
	*s = c.follow.snapshot()
	s.Pings = c.client.Counts().Pings
	return nil
}

// Unlike answers how many connections are not where they should be.
func (c *Crowd) Unlike(w Where, n *int) error {
	*n = c.follow.unlike(w)
	return nil
}

// Latencies answers with those since the last time.
func (c *Crowd) Latencies(_ None, l *Latencies) (err error) {
	*l, err = c.follow.latencies()
	return err
}
