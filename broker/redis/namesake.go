package redis

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// A node that is started anew after a crash has the name of one whose members are still listed, until they expire. It
// calls that one by the channel of their name. If nobody answers, it tells all nodes that the earlier one is dead, and they
// remove its members. If somebody does, two nodes have one name: both log it, and nobody's members are removed.

// rollCall is within which a node answers that lives.
var rollCall = time.Second

// mostKnown is how many dead owners a node tells Redis of.
const mostKnown = 64

// The second byte of an envelope of kindOwner, which an owner's name follows.
const (
	ownerAsks  = 1 // has just started under the name of the channel
	ownerLives = 2 // had done so before
	ownerDied  = 3 // did not answer
	// In the channel of a room:
	ownerHere = '+' // has members there
	ownerGone = '-' // has none any more
)

func encodeOwner(what byte, owner string) string { return string([]byte{kindOwner, what}) + owner }

// nodeEntry is what a node announces.
type nodeEntry struct {
	broker.NodeInfo
	Owner string `json:"owner,omitempty"`
}

// namesakes are the nodes that have answered to the name of this one.
type namesakes struct {
	mu     sync.Mutex
	owners []string
}

func (n *namesakes) add(owner string) (first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Contains(n.owners, owner) || len(n.owners) >= mostKnown {
		return false
	}
	n.owners = append(n.owners, owner)
	return true
}

func (n *namesakes) has(owner string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.owners, owner)
}

// listed returns the owner that is listed under the name of this node, or nothing.
func (b *Broker) listed(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, b.ioTimeout)
	defer cancel()
	owner := ""
	err := b.nodeEntries(ctx, func(id, info string, _ time.Duration) {
		var e nodeEntry
		if id == b.node && json.Unmarshal(data(info), &e) == nil {
			owner = e.Owner
		}
	})
	return owner, err
}

// succeed has the members of an earlier owner removed, unless it lives. Redis may be away: after a TTL they have expired.
func (b *Broker) succeed(earlier string) {
	for begun := time.Now(); time.Since(begun) < b.ttl; {
		err := b.publishPlain(b.ctx, b.names.node(b.node), encodeOwner(ownerAsks, b.owner))
		if !sleep(b.ctx, rollCall) {
			return
		}
		if err != nil {
			continue
		}
		if b.namesakes.has(earlier) {
			return
		}
		if b.publishPlain(b.ctx, b.names.broadcast(), encodeOwner(ownerDied, earlier)) == nil {
			b.log.Info("redis: the members of this node's earlier run are removed", "node", b.node)
			return
		}
	}
}

// heardOf takes an envelope of kindOwner.
func (b *Broker) heardOf(envelope []byte) {
	if len(envelope) < 3 {
		b.stats.invalid.Add(1)
		return
	}
	owner := string(envelope[2:])
	mine := owner == b.owner
	switch what := envelope[1]; {
	case what == ownerDied && mine: // it was too busy to answer
		b.presence.doubted()
		b.log.Error("redis: another node has the name of this node and has declared it dead: give each node its own name", "node", b.node)
	case what == ownerDied:
		b.presence.died(owner)
	case mine:
	case what == ownerAsks:
		b.sharesName(owner)
		b.spawn(func() { // the connection is read by this goroutine
			_ = b.publishPlain(b.ctx, b.names.node(b.node), encodeOwner(ownerLives, b.owner))
		})
	case what == ownerLives:
		b.sharesName(owner)
	default:
		b.stats.invalid.Add(1)
	}
}

func (b *Broker) sharesName(owner string) {
	if b.namesakes.add(owner) {
		b.log.Warn("redis: two live nodes have the same name: give each node its own name", "node", b.node)
	}
}

// deaths are the owners that have died of late, and when this node heard of it.
type deaths []death

type death struct {
	owner string
	at    time.Time
}

// died notes that an owner has, and has the rooms visited in which it may have members: soon, or within seconds if there are
// many.
func (p *presence) died(owner string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.deaths = append(p.deaths, death{owner, now})
	if len(p.deaths) > mostKnown {
		p.deaths = slices.Delete(p.deaths, 0, len(p.deaths)-mostKnown)
	}
	within := min(p.refresh, hurryWithin, time.Duration(len(p.rooms))*time.Millisecond)
	for _, a := range p.rooms {
		if due := rand.N(within + 1); a.due.Sub(now) > due {
			p.plan(a, due)
		}
	}
}

// doubted has the rooms with members of this node visited, after it was taken for dead: when the others have removed them, or
// so much later that those who have yet to do so see that it was heard since.
func (p *presence) doubted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.rooms {
		if len(a.members) > 0 {
			p.plan(a, rollCall+rand.N(hurryWithin))
		}
	}
}

// dead lists the owners that have died within a TTL, and for how many ms each has been dead.
func (p *presence) dead(ttl time.Duration) (args []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaths = slices.DeleteFunc(p.deaths, func(d death) bool { return time.Since(d.at) > ttl })
	for _, d := range p.deaths {
		args = append(args, d.owner, milliseconds(time.Since(d.at)))
	}
	return args
}
