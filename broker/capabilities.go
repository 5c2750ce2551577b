package broker

import (
	"context"
	"encoding/json"
	"time"
)

// History is implemented by brokers that store rooms.
type History interface {
	// Read returns stored messages in order, or in reverse if the query says so. It serves a client that resumes and a newcomer who
	// wants the last few. If Query.Retention is enabled, Page.Top has an epoch even if nothing was ever published,
	// and can be resumed from: what is missed after it makes a gap like anything else.
	//
	// A room to which nothing was published costs nothing once nobody is subscribed to it, but for a few minutes. Its
	// epoch may change after that. A subscriber is not told: the message with offset 1 then brings the new epoch, and
	// nothing was lost.
	Read(ctx context.Context, room string, q Query) (Page, error)
}

// Query selects what History.Read returns.
type Query struct {
	// Since selects the messages after a position. The zero Position selects from the oldest
	// retained message on, and never makes a gap.
	Since Position
	// Last, when positive, selects only the newest so many messages after Since.
	Last int
	// Reverse selects the messages before Since, the newest first; with the zero Since it begins at the newest of all.
	// There is a gap only if Since is of another epoch. Last has no effect.
	Reverse bool
	// Limit bounds the number of messages returned, the first in the order asked for; zero means no bound.
	Limit int
	// Bytes bounds their payloads and Metas together; zero means no bound. The first message is returned whatever its size.
	// The broker does not fetch much more than that.
	Bytes int
	// PositionOnly asks for Page.Top and Page.Gap alone: Messages is then empty.
	PositionOnly bool
	// Retention of the room, as publishers give it.
	Retention Retention
}

// Page is a run of stored messages.
type Page struct {
	Messages []Message
	// Top is the newest position of the room at the time of the reading, even where Messages is
	// empty or cut. With Gap and More it is the position before the next message that can be read.
	Top Position
	// Gap is set where the messages that follow Query.Since are not all to be had: the epoch is
	// another, they were dropped from the history, or they cannot be read. Messages is then empty and the
	// reader goes on from Top.
	Gap bool
	// More is set where the page was cut: by Limit or Bytes, or before messages that cannot be read.
	More bool
}

// Presence is implemented by brokers that know who is in a room.
type Presence interface {
	// Enter announces a member of this node. The broker keeps it alive until Leave, or until the node
	// is gone for longer than the presence TTL. Entering again with the same Conn replaces the
	// Info and is not announced.
	Enter(ctx context.Context, room string, m Member) error
	// Leave takes a member of this node back. Leaving twice does nothing.
	Leave(ctx context.Context, room, conn string) error
	// Members lists up to limit members of a room, on all nodes, ordered by Conn; zero means all.
	Members(ctx context.Context, room string, limit int) ([]Member, error)
	// Count returns how many members a room has, on all nodes.
	Count(ctx context.Context, room string) (int, error)
}

// PresencePages is implemented by brokers with presence that list members page by page.
type PresencePages interface {
	// MembersAfter lists up to limit members of a room whose Conn follows after, ordered by Conn; zero means all.
	MembersAfter(ctx context.Context, room, after string, limit int) ([]Member, error)
}

// Member is one connection present in a room.
type Member struct {
	// Conn is the connection's ID, unique over all nodes and their restarts.
	Conn string `json:"conn"`
	// User is the identity's user, empty for an anonymous one.
	User string `json:"user,omitempty"`
	// Info is what the application shows of the member to others: any JSON value, or nil.
	Info json.RawMessage `json:"info,omitempty"`
}

// Evictor is implemented by brokers that drop what they hold before its time, to stay within bounds of their own.
type Evictor interface {
	// Evictions tells what was dropped since the broker was made.
	Evictions() Evictions
}

// Evictions are counters that only grow.
type Evictions struct {
	// Messages were dropped from histories.
	Messages int64
	// Rooms had no messages left, and their positions were forgotten.
	Rooms int64
	// IdempotencyKeys were forgotten.
	IdempotencyKeys int64
}

// Bus is implemented by brokers that join several nodes. It carries small commands, at most once.
type Bus interface {
	// Broadcast sends payload to every node, this one too. It blocks no longer than ctx. An error that matches
	// ErrUnavailable does not tell whether it was sent.
	Broadcast(ctx context.Context, payload []byte) error
	// Send sends payload to one node. It blocks no longer than ctx. It returns nil if there is no such node.
	Send(ctx context.Context, node string, payload []byte) error
	// Nodes lists the nodes alive, this one too. It blocks no longer than ctx.
	Nodes(ctx context.Context) ([]Node, error)
	// Announce sets what Nodes tells of this node. It does not block; the broker refreshes it in its own time.
	Announce(info NodeInfo)
}

// Node is one hub in one process.
type Node struct {
	ID string
	NodeInfo
	// Seen is when the node last announced itself.
	Seen time.Time
}

// NodeInfo is what a node tells others of itself.
type NodeInfo struct {
	Conns int `json:"conns"`
	Rooms int `json:"rooms"`
	// Capacity is how many connections the node takes in all; zero where it does not know.
	Capacity int `json:"capacity,omitempty"`
	// AdmitRate is how many new connections a second the node admits; zero means no bound.
	AdmitRate float64 `json:"admit_rate,omitempty"`
	// Draining is set while the node sheds its connections.
	Draining bool `json:"draining,omitempty"`
}

// Secrets is implemented by brokers that keep secrets which all nodes share.
type Secrets interface {
	// Secret returns the secret of a name. If there is none yet, it first stores fresh, so that all nodes
	// get the same. Names are made like those of rooms.
	Secret(ctx context.Context, name string, fresh []byte) ([]byte, error)
}
