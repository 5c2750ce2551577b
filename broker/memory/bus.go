package memory

import (
	"bytes"
	"context"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// commandQueue is how many commands wait for the receiver before senders do.
const commandQueue = 256

type command struct {
	from    string
	payload []byte
}

// Broadcast sends a copy of payload to this node, the only one. A goroutine of the broker calls the receiver with it.
// While 256 commands are queued Broadcast waits, no longer than ctx.
func (b *Broker) Broadcast(ctx context.Context, payload []byte) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	select {
	case b.commands <- command{b.node, bytes.Clone(payload)}:
		return nil
	case <-b.stop:
		return broker.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Send is Broadcast if node is this node. Otherwise it returns nil and the payload is lost, because there is no other
// node.
func (b *Broker) Send(ctx context.Context, node string, payload []byte) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	if node != b.node {
		return nil
	}
	return b.Broadcast(ctx, payload)
}

// Nodes returns this node, seen just now.
func (b *Broker) Nodes(ctx context.Context) ([]broker.Node, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	b.announce.Lock()
	defer b.announce.Unlock()
	return []broker.Node{{ID: b.node, NodeInfo: b.info, Seen: time.Now()}}, nil
}

// Announce sets the NodeInfo that Nodes returns. It does not block.
func (b *Broker) Announce(info broker.NodeInfo) {
	b.announce.Lock()
	defer b.announce.Unlock()
	b.info = info
}

// runCommands calls the receiver with what Broadcast queued.
func (b *Broker) runCommands() {
	for {
		select {
		case <-b.stop:
			return
		case c := <-b.commands:
			b.receiver.Command(c.from, c.payload)
		}
	}
}
