package rooms

import (
	"strings"
	"sync/atomic"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/presence"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
)

// Room is a room with members on this node, and the node's subscription to it.
type Room struct {
	fanout.Room
	node *Node
	name string
	rule *Rule
	// Attendance is nil in a room without presence.
	Attendance *presence.Attendance

	// epoch of the last message delivered here, in a room with history.
	epoch atomic.Pointer[epoch]

	// taps is nil unless somebody tails the room; changed with the index's shard locked.
	taps atomic.Pointer[taps]

	refs int // members, joins under way and taps; guarded by the index's shard

	subscription subscription
}

// Name is the room's name.
func (r *Room) Name() string { return r.name }

func (r *Room) errors() *Errors { return &r.node.conf.Errors }

func (r *Room) hasHistory() bool { return r.rule.Retention.Enabled() }

// roomBytes is what a room takes with its member, the broker's part included, beside its name.
const roomBytes = 568

// bytes is what a room is counted as.
func (r *Room) bytes() int { return roomBytes + len(r.name) }

// acquire returns a room and keeps it from going away until release. A room has a name of its own, because the caller's may be
// part of a request's head, which would stay in memory with it.
func (n *Node) acquire(name string) *Room {
	r, first := n.index.acquire(name, func() *Room { return n.newRoom(strings.Clone(name)) })
	if first {
		n.conf.Held(r.bytes())
	}
	return r
}

func (n *Node) newRoom(name string) *Room {
	r := &Room{node: n, name: name, rule: n.conf.Rule(name)}
	r.Init(n.conf.Scheduler, r.rule.Source)
	if r.rule.Presence {
		r.Attendance = n.conf.Presence.Attend(name, r, r.rule.Changes)
	}
	return r
}

// release is the end of what acquire began. The last one leaves the room to the janitor.
func (n *Node) release(r *Room) {
	if n.index.release(r) {
		n.conf.Held(-r.bytes())
		n.janitor.add(r)
	}
}

// epoch is the name that the history has had since a run of the room; see fanout.Mark.
type epoch struct {
	name  string
	since uint64
}

// noteEpoch is called for every message, and finds the epoch unchanged as a rule. The epoch begins with the run that
// is ahead of the present one by so many.
func (r *Room) noteEpoch(name string, ahead uint64) {
	if e := r.epoch.Load(); e == nil || e.name != name {
		r.epoch.Store(&epoch{name, r.Run() + ahead})
	}
}

// knows reports whether the room here is in the epoch that the history is in, as far as it can tell.
func (r *Room) knows(name string) bool {
	e := r.epoch.Load()
	return e == nil || e.name == name
}

// pastEpoch is the name of no epoch, so that a reader that continues from there is told of a gap.
const pastEpoch = "past"

// position is the place in the history that a mark stands for.
func (r *Room) position(m fanout.Mark) broker.Position {
	if e := r.epoch.Load(); e != nil && m.Run() >= e.since {
		return broker.Position{Epoch: e.name, Offset: m.Offset()}
	}
	return broker.Position{Epoch: pastEpoch, Offset: m.Offset()}
}
