package redis

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// Broadcast sends payload to every node, this one included, at most once. It blocks no longer than ctx.
func (b *Broker) Broadcast(ctx context.Context, payload []byte) error {
	return b.sendCommand(ctx, b.names.broadcast(), payload)
}

// Send sends payload to one node, at most once. It blocks no longer than ctx. If there is no such node, the payload is
// lost and Send returns nil.
func (b *Broker) Send(ctx context.Context, node string, payload []byte) error {
	return b.sendCommand(ctx, b.names.node(node), payload)
}

func (b *Broker) sendCommand(ctx context.Context, channel string, payload []byte) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	return b.publishPlain(ctx, channel, encodeCommand(b.node, payload))
}

// Nodes lists the nodes that have announced themselves within the presence TTL. It blocks no longer than ctx.
func (b *Broker) Nodes(ctx context.Context) ([]broker.Node, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	nodes := make([]broker.Node, 0, 8)
	err := b.nodeEntries(ctx, func(id, info string, idle time.Duration) {
		n := broker.Node{ID: id, Seen: time.Now().Add(-idle)}
		if err := json.Unmarshal(data(info), &n.NodeInfo); err != nil {
			b.stats.invalid.Add(1)
			return // one bad entry is no reason to know nobody
		}
		nodes = append(nodes, n)
	})
	if err != nil {
		return nil, err
	}
	return nodes, nil
}

// nodeEntries hands over what each node has announced, and how long ago.
func (b *Broker) nodeEntries(ctx context.Context, each func(id, info string, idle time.Duration)) error {
	key := b.names.nodes()
	res, err := b.exec(ctx, key, announceScript, []string{key}, []string{milliseconds(b.ttl)})
	if err != nil {
		return err
	}
	answer, err := res.ToArray()
	if err != nil {
		return unavailable(err)
	}
	for ; len(answer) >= 3; answer = answer[3:] {
		id, err1 := answer[0].ToString()
		idle, err2 := answer[1].AsInt64()
		info, err3 := answer[2].ToString()
		if err1 != nil || err2 != nil || err3 != nil {
			return unavailable(errAnswer)
		}
		each(id, info, time.Duration(idle)*time.Millisecond)
	}
	return nil
}

// Announce sets the NodeInfo that Nodes returns for this node. It does not block. The other nodes see it soon: the
// broker sends at most one announcement in 100 ms.
func (b *Broker) Announce(info broker.NodeInfo) {
	b.infoMu.Lock()
	b.info = info
	b.infoMu.Unlock()
	b.announceSoon()
}

func (b *Broker) announceSoon() {
	select {
	case b.announced <- struct{}{}:
	default:
	}
}

const (
	announceGap   = 100 * time.Millisecond // between two announcements, however often the load changes
	announceRetry = time.Second
)

// runAnnouncements refreshes the entry of this node, and soon after Announce.
func (b *Broker) runAnnouncements() {
	next := time.NewTimer(jitter(b.refresh))
	defer next.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-b.announced:
		case <-next.C:
		}
		wait := jitter(b.refresh)
		if b.announce(b.ctx) != nil {
			wait = min(wait, jitter(announceRetry))
		}
		next.Reset(wait)
		select {
		case <-b.ctx.Done():
			return
		case <-time.After(announceGap):
		}
	}
}

func (b *Broker) announce(ctx context.Context) error {
	b.infoMu.Lock()
	info, err := json.Marshal(nodeEntry{b.info, b.owner})
	b.infoMu.Unlock()
	if err != nil {
		return err
	}
	key := b.names.nodes()
	ctx, cancel := context.WithTimeout(ctx, b.ioTimeout)
	defer cancel()
	_, err = b.exec(ctx, key, announceScript, []string{key}, []string{milliseconds(b.ttl), b.node, string(info)})
	return err
}

// jitter draws from the last fifth of d, so that what many nodes do does not come at one moment.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/5+1) }
