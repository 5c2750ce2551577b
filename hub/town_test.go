package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
)

// town is a bus between nodes of this process, each of which has a memory broker of its own for its rooms.
type town struct {
	mu    sync.Mutex
	order []string
	nodes map[string]*townNode
}

// townNode is a broker whose bus is the town's.
type townNode struct {
	*memory.Broker
	town   *town
	name   string
	rec    broker.Receiver
	asleep bool     // takes nothing and says nothing, and is alive to the others
	old    []string // kinds of commands that the node does not know
}

func newTown() *town { return &town{nodes: make(map[string]*townNode)} }

// start starts nodes, which have the names n1, n2 and so on.
func (x *town) start(t *testing.T, n int, opts ...hub.Option) []*server {
	t.Helper()
	var all []*server
	for i := range n {
		b, err := memory.New()
		if err != nil {
			t.Fatal(err)
		}
		node := &townNode{Broker: b, town: x, name: fmt.Sprint("n", i+1)}
		all = append(all, start(t, append([]hub.Option{hub.WithNode(node.name), hub.WithBroker(node)}, opts...)...))
	}
	return all
}

func (n *townNode) Start(ctx context.Context, name string, r broker.Receiver) error {
	n.town.mu.Lock()
	n.rec = r
	n.town.nodes[name] = n
	n.town.order = append(n.town.order, name)
	n.town.mu.Unlock()
	return n.Broker.Start(ctx, name, r)
}

// sleep has a node not answer from now on.
func (x *town) sleep(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.nodes[name].asleep = true
}

// forget has a node not know kinds of commands, as if it were of a version before them.
func (x *town) forget(name string, kinds ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.nodes[name].old = kinds
}

func (n *townNode) Broadcast(ctx context.Context, payload []byte) error {
	n.town.mu.Lock()
	names := append([]string(nil), n.town.order...)
	n.town.mu.Unlock()
	for _, name := range names {
		if err := n.Send(ctx, name, payload); err != nil {
			return err
		}
	}
	return nil
}

func (n *townNode) Send(_ context.Context, to string, payload []byte) error {
	n.town.mu.Lock()
	other := n.town.nodes[to]
	lost := other == nil || other.asleep || n.asleep
	var old []string
	if other != nil {
		old = other.old
	}
	n.town.mu.Unlock()
	if lost {
		return nil
	}
	for _, kind := range old {
		payload = bytes.ReplaceAll(payload, []byte(`"do":"`+kind+`"`), []byte(`"do":"unheard of"`))
	}
	other.rec.Command(n.name, payload)
	return nil
}

func (n *townNode) Nodes(context.Context) (nodes []broker.Node, err error) {
	n.town.mu.Lock()
	defer n.town.mu.Unlock()
	for _, name := range n.town.order {
		nodes = append(nodes, broker.Node{ID: name, Seen: time.Now()})
	}
	return nodes, nil
}

func (n *townNode) Announce(broker.NodeInfo) {}
