package brokertest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
)

// cluster is a world of several nodes: a memory broker that all share, in place of a server.
type cluster struct {
	mu    sync.RWMutex
	core  *memory.Broker
	nodes map[*member]bool
	rooms map[string]broker.Retention // what has been stored where
}

// member is a node of a cluster.
type member struct {
	broker.Broker // nil: what is not implemented here cannot be called by mistake
	c             *cluster
	state         error // why it cannot be used
	id            string
	rec           broker.Receiver
	rooms         map[string]bool
	info          broker.NodeInfo
}

func newCluster(t testing.TB) *cluster {
	c := &cluster{nodes: make(map[*member]bool), rooms: make(map[string]broker.Retention)}
	c.core = c.newCore(t)
	return c
}

func (c *cluster) newCore(t testing.TB) *memory.Broker {
	core := newMemory(t)
	if err := core.Start(context.Background(), "core", c); err != nil {
		t.Fatal(err)
	}
	return core
}

func (c *cluster) newNode(testing.TB) broker.Broker {
	return &member{c: c, state: broker.ErrNotStarted, rooms: make(map[string]bool)}
}

// forget replaces the core by an empty one and tells the receivers.
func (c *cluster) forget(t testing.TB) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.core = c.newCore(t)
	for room, retention := range c.rooms {
		page, err := c.core.Read(context.Background(), room, broker.Query{Retention: retention})
		if err != nil {
			t.Fatal(err)
		}
		for n := range c.nodes {
			if n.rooms[room] {
				n.rec.Gap(room, page.Top)
			}
		}
		if err := c.core.Subscribe(context.Background(), room); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *cluster) Deliver(room string, ms []broker.Message) {
	for n := range c.nodes {
		if n.rooms[room] {
			n.rec.Deliver(room, slices.Clone(ms))
		}
	}
}

func (c *cluster) PresenceChanged(room string, m broker.Member, joined bool) {
	for n := range c.nodes {
		if n.rooms[room] {
			n.rec.PresenceChanged(room, m, joined)
		}
	}
}

func (c *cluster) Gap(string, broker.Position) {}
func (c *cluster) Command(string, []byte)      {}
func (c *cluster) StateChanged(broker.State)   {}

// use locks the cluster for a call of a node: shared, so that calls of several nodes meet.
func (n *member) use(ctx context.Context) (unlock func(), err error) {
	n.c.mu.RLock()
	if err := n.state; err != nil {
		n.c.mu.RUnlock()
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		n.c.mu.RUnlock()
		return nil, err
	}
	return n.c.mu.RUnlock, nil
}

func (n *member) Start(_ context.Context, node string, r broker.Receiver) error {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.state == broker.ErrClosed {
		return n.state
	}
	n.state, n.id, n.rec = nil, node, r
	n.c.nodes[n] = true
	return nil
}

func (n *member) Close(context.Context) error {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.state == broker.ErrClosed {
		return n.state
	}
	n.state = broker.ErrClosed
	delete(n.c.nodes, n)
	return nil
}

func (n *member) Subscribe(ctx context.Context, rooms ...string) error {
	unlock, err := n.use(ctx)
	if err != nil {
		return err
	}
	err = n.c.core.Subscribe(ctx, rooms...)
	unlock()
	return n.interest(rooms, true, err)
}

func (n *member) Unsubscribe(ctx context.Context, rooms ...string) error {
	unlock, err := n.use(ctx)
	if err != nil {
		return err
	}
	unlock()
	return n.interest(rooms, false, nil)
}

func (n *member) interest(rooms []string, on bool, err error) error {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	for _, room := range rooms {
		n.rooms[room] = on && err == nil
	}
	return err
}

func (n *member) Publish(ctx context.Context, room string, p broker.Publication) (broker.Result, error) {
	if p.Retention.Enabled() {
		n.c.mu.Lock()
		n.c.rooms[room] = p.Retention
		n.c.mu.Unlock()
	}
	unlock, err := n.use(ctx)
	if err != nil {
		return broker.Result{}, err
	}
	defer unlock()
	return n.c.core.Publish(ctx, room, p)
}

func (n *member) Read(ctx context.Context, room string, q broker.Query) (broker.Page, error) {
	unlock, err := n.use(ctx)
	if err != nil {
		return broker.Page{}, err
	}
	defer unlock()
	return n.c.core.Read(ctx, room, q)
}

func (n *member) Enter(ctx context.Context, room string, m broker.Member) error {
	unlock, err := n.use(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return n.c.core.Enter(ctx, room, m)
}

func (n *member) Leave(ctx context.Context, room, conn string) error {
	unlock, err := n.use(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return n.c.core.Leave(ctx, room, conn)
}

func (n *member) Members(ctx context.Context, room string, limit int) ([]broker.Member, error) {
	unlock, err := n.use(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return n.c.core.Members(ctx, room, limit)
}

func (n *member) Count(ctx context.Context, room string) (int, error) {
	unlock, err := n.use(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	return n.c.core.Count(ctx, room)
}

func (n *member) Broadcast(ctx context.Context, payload []byte) error {
	return n.command(ctx, payload, func(*member) bool { return true })
}

func (n *member) Send(ctx context.Context, node string, payload []byte) error {
	return n.command(ctx, payload, func(to *member) bool { return to.id == node })
}

func (n *member) command(ctx context.Context, payload []byte, to func(*member) bool) error {
	unlock, err := n.use(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for x := range n.c.nodes {
		if to(x) {
			x.rec.Command(n.id, payload)
		}
	}
	return nil
}

func (n *member) Nodes(ctx context.Context) ([]broker.Node, error) {
	unlock, err := n.use(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var all []broker.Node
	for x := range n.c.nodes {
		all = append(all, broker.Node{ID: x.id, NodeInfo: x.info, Seen: time.Now()})
	}
	return all, nil
}

func (n *member) Announce(info broker.NodeInfo) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.info = info
}

func openCluster(t testing.TB) World {
	c := newCluster(t)
	return World{NewNode: c.newNode, Nodes: 2, Forget: c.forget}
}

// The suite passes in a world of two nodes that can lose its data.
func TestSuiteTwoNodes(t *testing.T) { Run(t, openCluster) }

// A cluster in which the second node hears nothing, and one that loses data in silence.
func TestSuiteFindsFaultsOfClusters(t *testing.T) {
	deaf := func(t testing.TB) World {
		c, others := newCluster(t), 0
		return World{Nodes: 2, Deadline: 300 * time.Millisecond, NewNode: func(t testing.TB) broker.Broker {
			if others++; others > 1 {
				c = newCluster(t)
			}
			return c.newNode(t)
		}}
	}
	silent := func(t testing.TB) World {
		c := newCluster(t)
		return World{Nodes: 2, Deadline: 300 * time.Millisecond, NewNode: c.newNode, Forget: func(t testing.TB) {
			rooms := c.rooms
			c.rooms = nil
			c.forget(t)
			c.rooms = rooms
		}}
	}
	remembering := func(t testing.TB) World {
		w := openCluster(t)
		w.Deadline, w.Forget = 300*time.Millisecond, func(testing.TB) {}
		return w
	}
	for _, c := range []struct {
		fault, check string
		open         func(testing.TB) World
	}{
		{"deaf", "Deliver", deaf},
		{"deaf", "Interest", deaf},
		{"deaf", "Idempotency", deaf},
		{"deaf", "History", deaf},
		{"deaf", "Presence", deaf},
		{"deaf", "Bus", deaf},
		{"deaf", "BusNodes", deaf},
		{"silent", "Forget", silent},
		{"remembering", "Forget", remembering},
	} {
		t.Run(c.fault+"/"+c.check, func(t *testing.T) {
			t.Parallel()
			failures := try(t, c.check, c.open)
			t.Logf("found: %.300q", failures)
			if len(failures) == 0 {
				t.Errorf("a %s cluster passes %s", c.fault, c.check)
			}
		})
	}
}
