// Package rooms has the rooms of a node: those with members here, the node's subscription to each, and the ways in which a
// connection comes to see a room's messages: it joins, catches up from the history, and reads on there if its socket was too
// slow for the room.
//
// A connection is known as a [Member]; a room's queue and passes are those of package fanout.
package rooms

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/presence"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/histogram"
)

// Errors are the hub's, which declares them where its users read them.
type Errors struct {
	Closed    error // the hub, or the connection
	NoHistory error // of the room
	TooMany   error // rooms of a connection
	Joining   error // the connection joins the room just now
}

// Config is what the rooms need of the hub.
type Config struct {
	// Context ends when the hub is closed.
	Context context.Context //nolint:containedctx // the rooms' life is the hub's
	// Run starts a goroutine that the hub waits for when it is closed. It survives the function's panic.
	Run func(f func())
	// Held is told how many bytes rooms take more, or less if it is negative, than before.
	Held func(bytes int)
	Log  *slog.Logger
	// Errors are what methods return.
	Errors Errors

	Broker    broker.Broker
	Presence  *presence.Node // nil if the broker has none
	Scheduler *fanout.Scheduler
	// Rule says what a room is like.
	Rule func(room string) *Rule

	// Store publishes by the Broker; nil for its own Publish.
	Store func(ctx context.Context, room string, p broker.Publication) (broker.Result, error)
	// Delivering is told of a message that carries a sampled trace. What it returns is called when the members have been sent the
	// message, or cannot be any more; nil for nothing. Delivering may be nil.
	Delivering func(room string, m *broker.Meta) (sent func(err error))

	// Raw has members sent the data of messages as it is.
	Raw bool
	// Degrade has Publish deliver to the members here if the broker cannot be reached.
	Degrade bool
	// Linger is how long the node stays subscribed to a room that has no members any more.
	Linger time.Duration
	// MaxRooms bounds the rooms of a connection.
	MaxRooms int
	// BacklogMessages and BacklogBytes are what may wait for a connection's socket. Half of it is the histories'.
	BacklogMessages, BacklogBytes int

	// Stored is told how long the broker took for some of the publications, chosen at random.
	Stored *histogram.Histogram
	// Sent is told how long some of the publications of this node took until a pass had sent them to the members here.
	Sent *histogram.Histogram
}

// Rule is what some rooms are like.
type Rule struct {
	Retention broker.Retention
	Presence  bool
	// Changes bounds the joins and leaves that members of a room with presence are sent.
	Changes presence.Rate
	// Publisher is what members are shown of a publisher.
	Publisher View
	// Times has the time of publication told.
	Times bool
	// Source is what a room is to the backlogs of its members.
	Source frame.Source
}

// Node is the rooms of a node. Its methods may be called from several goroutines.
type Node struct {
	conf      Config
	history   broker.History    // nil if the broker has none
	positions broker.Positioner // nil if the broker is none
	start     time.Time

	index   index
	janitor janitor
	pages   pages

	gaps, corrupt              atomic.Int64
	recoveredAll, recoveredGap atomic.Int64

	// replays under way, by membership, which few have; an entry is guarded by mu of the Memberships.
	replays sync.Map // of *membership to *replay

	followed atomic.Int32 // traced messages on their way to the members

	sample atomic.Pointer[sample] // under way; nil most of the time
}

// New returns a Node without rooms.
func New(conf Config) *Node {
	n := &Node{conf: conf, start: time.Now()}
	if n.conf.Store == nil {
		n.conf.Store = conf.Broker.Publish
	}
	n.history, _ = conf.Broker.(broker.History)
	n.positions, _ = conf.Broker.(broker.Positioner)
	n.index.init()
	n.janitor.node = n
	return n
}

// Close ends what the node does by itself. It may be called of nil.
func (n *Node) Close() {
	if n != nil {
		n.janitor.close()
	}
}

// now is the time since the node's start, which is monotonic.
func (n *Node) now() time.Duration { return time.Since(n.start) }

// Stats is what the rooms of a node have done and are doing.
type Stats struct {
	// Rooms include those that the last member has left a moment ago.
	Rooms int
	// Gaps in rooms with history, where messages were lost for good, and Corrupt messages, which reached nobody.
	Gaps, Corrupt int64
	// Recovered joins began after a position and missed nothing. RecoveredWithGap were those that missed something.
	Recovered, RecoveredWithGap int64
	// Lent is how many bytes of pages the readers of histories hold.
	Lent int64
}

// Stats returns the node's figures.
func (n *Node) Stats() Stats {
	return Stats{
		Rooms: n.index.len(), Gaps: n.gaps.Load(), Corrupt: n.corrupt.Load(), Lent: n.pages.lent.Load(),
		Recovered: n.recoveredAll.Load(), RecoveredWithGap: n.recoveredGap.Load(),
	}
}

// AwaitSent returns when the members have been sent what has been delivered so far, or ctx ends.
func (n *Node) AwaitSent(ctx context.Context) {
	n.Flush()
	for _, r := range n.index.all() {
		if r.Sent(ctx) != nil {
			return
		}
	}
}

// PresenceMissed has the members of rooms with presence ask who is there: what others told meanwhile did not come.
func (n *Node) PresenceMissed() {
	for _, r := range n.index.all() {
		if r.Attendance != nil {
			r.Attendance.Missed()
		}
	}
}
