package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// fleet is a broker of some nodes in a bubble.
type fleet struct {
	t     *testing.T
	nodes map[string]*Exchange
	ctx   context.Context

	mu    sync.Mutex
	sent  []string // all messages
	away  error
	hangs bool
	lost  int // functions that panicked
}

// inFleet runs a test with nodes of these names, all of which handle question and note.
func inFleet(t *testing.T, names []string, f func(t *testing.T, f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		fl := &fleet{t: t, ctx: ctx, nodes: make(map[string]*Exchange)}
		for _, name := range names {
			fl.add(name, &bus{fl, name})
		}
		f(t, fl)
	})
}

func (f *fleet) add(name string, b broker.Bus) *Exchange {
	x := New(Config{
		Node: name, Bus: b, Context: f.ctx, Run: f.run, Log: slog.New(slog.DiscardHandler),
		Load: func() broker.NodeInfo { return broker.NodeInfo{Conns: len(name)} },
	})
	f.nodes[name] = x
	return x
}

func (f *fleet) run(fn func()) {
	go func() {
		defer func() {
			if recover() != nil {
				f.mu.Lock()
				f.lost++
				f.mu.Unlock()
			}
		}()
		fn()
	}()
}

// frames returns what was sent since the last time.
func (f *fleet) frames() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	sent := f.sent
	f.sent = nil
	return sent
}

// bus is the fleet for one node.
type bus struct {
	*fleet
	self string
}

func (b *bus) send(payload []byte, to ...string) error {
	b.mu.Lock()
	b.sent = append(b.sent, string(payload))
	away := b.away
	b.mu.Unlock()
	if away != nil {
		return away
	}
	for _, node := range to {
		if x := b.nodes[node]; x != nil {
			lent := append([]byte(nil), payload...)
			x.Receive(b.self, lent)
			clear(lent)
		}
	}
	return nil
}

func (b *bus) Broadcast(_ context.Context, payload []byte) error {
	var all []string
	for node := range b.nodes {
		all = append(all, node)
	}
	return b.send(payload, all...)
}

func (b *bus) Send(_ context.Context, node string, payload []byte) error {
	return b.send(payload, node)
}

func (b *bus) Nodes(ctx context.Context) ([]broker.Node, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hangs {
		b.mu.Unlock()
		<-ctx.Done()
		b.mu.Lock()
		return nil, ctx.Err()
	}
	if errors.Is(b.away, errLost) {
		return nil, b.away
	}
	var nodes []broker.Node
	for node := range b.nodes {
		nodes = append(nodes, broker.Node{ID: node, Seen: time.Now()})
	}
	return nodes, nil
}

func (b *bus) Announce(broker.NodeInfo) {}

var errLost = errors.New("lost")

// note is a body that is told and asked.
type note struct {
	Text string          `json:"text"`
	N    int             `json:"n,omitempty"`
	Raw  json.RawMessage `json:"raw,omitempty"`
}
