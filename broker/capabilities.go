package broker

import (
	"context"
	"encoding/json"
	"time"
)

// History is implemented by brokers that store messages of rooms.
type History interface {
	// Read returns stored messages in order, or in reverse if the query says so. It blocks no longer than ctx. A client
	// that resumes reads after its position; a new client may read the last few messages. If Query.Retention is enabled,
	// Page.Top has an epoch even if nothing was ever published. A client can resume from such a position: messages that
	// it misses make a gap as usual.
	//
	// A room that nothing was published to takes no memory a few minutes after its last subscriber has left. Its
	// epoch may change after that. A subscriber is not told. The message with offset 1 then has the new epoch, and
	// nothing was lost.
	Read(ctx context.Context, room string, q Query) (Page, error)
}

// Positioner is implemented by brokers that know the positions of subscribed rooms without asking a server.
type Positioner interface {
	History

	// SubscribeAt is Subscribe for one room with history. Once it has returned nil, Position usually knows the room.
	SubscribeAt(ctx context.Context, room string, kept Retention) error
	// Position returns the position that a subscribed room has reached on this node. The receiver gets the messages after
	// it, or a Gap. It has got the messages before it, or gets them at once. A client can resume from it as from
	// Page.Top. It may be a moment older than that. Position does not block. If ok is false, use Read: the room is not
	// subscribed, its subscription was lost and has not caught up, or the broker asked the store too long ago.
	Position(room string) (at Position, ok bool)
}

// Query selects the messages that History.Read returns.
type Query struct {
	// Since selects the messages after a position. The zero Position selects from the oldest
	// retained message on, and never makes a gap.
	Since Position
	// Last selects only the newest Last messages after Since. Zero selects all.
	Last int
	// Reverse selects the messages before Since, newest first. With the zero Since it begins at the newest of all.
	// There is a gap only if Since has another epoch. Last has no effect.
	Reverse bool
	// Limit bounds the number of messages returned, counted in the order of the query. Zero means no bound.
	Limit int
	// Bytes bounds the payloads and Metas together. Zero means no bound. The first message is returned whatever its
	// size. The broker does not fetch much more than Bytes.
	Bytes int
	// PositionOnly asks for Page.Top and Page.Gap alone. Messages is then empty.
	PositionOnly bool
	// Retention is that of the room, as in its publications.
	Retention Retention
}

// Page is a run of stored messages.
type Page struct {
	Messages []Message
	// Top is the newest position of the room when it was read, even if Messages is empty or cut. With
	// Gap and More set it is the position before the next message that can be read.
	Top Position
	// Gap is set if messages after Query.Since are lost: the epoch has changed, or they were dropped from the
	// history, or they cannot be read. Messages is then empty. The reader continues from Top.
	Gap bool
	// More is set if the page was cut by Limit or Bytes, or before messages that cannot be read.
	More bool
}

// Presence is implemented by brokers that know the members of rooms on all nodes. Its methods block no longer than ctx.
type Presence interface {
	// Enter adds a member of this node and announces it. The broker keeps it until Leave, or until the node
	// is gone for longer than the presence TTL. A second Enter with the same Conn replaces the Info and is not
	// announced.
	Enter(ctx context.Context, room string, m Member) error
	// Leave removes a member of this node and announces it. A second Leave does nothing.
	Leave(ctx context.Context, room, conn string) error
	// Members lists up to limit members of a room, on all nodes, ordered by Conn. A limit of zero means all.
	Members(ctx context.Context, room string, limit int) ([]Member, error)
	// Count returns the number of members of a room, on all nodes.
	Count(ctx context.Context, room string) (int, error)
}

// PresencePages is implemented by brokers with presence that list members page by page.
type PresencePages interface {
	// MembersAfter lists up to limit members of a room whose Conn follows after, ordered by Conn. A limit of zero
	// means all.
	MembersAfter(ctx context.Context, room, after string, limit int) ([]Member, error)
}

// Occupancy is implemented by brokers that know for each room whether any node has members in it. If a room becomes used or
// empty, the broker tells one node. A node calls Occupy and Vacate for one room in turn.
type Occupancy interface {
	// Occupy notes that this node has members in a room. first is true if no node had any. After an error call it again:
	// the answer is the one that the failed call would have had. It blocks no longer than ctx.
	Occupy(ctx context.Context, room string) (first bool, err error)
	// Vacate notes that this node has no members in a room. last is true if no node has any. After an error call it
	// again. It blocks no longer than ctx.
	Vacate(ctx context.Context, room string) (last bool, err error)
	// Tend keeps this node's notes alive, and takes over the rooms of nodes that are gone. A node that does not call Tend
	// loses its notes in time. It blocks no longer than ctx. It may return rooms together with an error.
	Tend(ctx context.Context) (Occupied, error)
}

// Occupied lists the rooms whose use has changed. Tend tells each change to one node only.
type Occupied struct {
	// Used rooms have members. The node that was told so is gone, or the broker has lost its data.
	Used []string
	// Empty rooms have no members. Their last ones were on nodes that are gone.
	Empty []string
	// Again is the time to wait before the next call of Tend.
	Again time.Duration
}

// Member is one connection present in a room.
type Member struct {
	// Conn is the connection's ID, unique over all nodes and their restarts.
	Conn string `json:"conn"`
	// User is the identity's user. It is empty for an anonymous identity.
	User string `json:"user,omitempty"`
	// Info is any JSON value that the application shows to other members, or nil.
	Info json.RawMessage `json:"info,omitempty"`
}

// Evictor is implemented by brokers that drop data before its time to stay within a memory bound.
type Evictor interface {
	// Evictions returns the counts since the broker was made.
	Evictions() Evictions
}

// Evictions counts the data that a broker has dropped before its time. The counters only grow.
type Evictions struct {
	// Messages counts messages dropped from histories.
	Messages int64
	// Rooms counts rooms without messages whose positions were forgotten.
	Rooms int64
	// IdempotencyKeys counts keys forgotten before their TTL.
	IdempotencyKeys int64
}

// Linked is implemented by brokers that reach other nodes over connections to servers.
type Linked interface {
	// Links returns the state of these connections.
	Links() Links
}

// Links is the state of a broker's connections to its servers. The counters only grow.
type Links struct {
	// Subscribing is the number of connections that receive messages. SubscribingUp of them work: they are subscribed to
	// all of their rooms.
	Subscribing, SubscribingUp int
	// Publishing is the number of connections that send publications. PublishingUp of them work.
	Publishing, PublishingUp int
	// Unsubscribed is the number of rooms with members on this node and without a subscription yet. Their messages are
	// late.
	Unsubscribed int
	// Reconnects counts how often a subscribing connection was lost or could not be made. PublishReconnects counts the
	// same of publishing connections.
	Reconnects, PublishReconnects int64
	// Unwritable counts how often a server was gone or took no writes.
	Unwritable int64
	// CaughtUp counts messages that no connection had brought, and that were read from histories. Gaps counts how often
	// messages of a room with history were lost for good. Dropped counts lost messages of other rooms.
	CaughtUp, Gaps, Dropped int64
}

// Bus is implemented by brokers that carry small commands between nodes, at most once.
type Bus interface {
	// Broadcast sends payload to every node, this one included. It blocks no longer than ctx. After an error that
	// matches ErrUnavailable, whether it was sent is unknown.
	Broadcast(ctx context.Context, payload []byte) error
	// Send sends payload to one node. It blocks no longer than ctx. It returns nil if there is no such node.
	Send(ctx context.Context, node string, payload []byte) error
	// Nodes lists the nodes alive, this one included. It blocks no longer than ctx.
	Nodes(ctx context.Context) ([]Node, error)
	// Announce sets the NodeInfo that Nodes returns for this node. It does not block. The broker refreshes it in its own
	// time.
	Announce(info NodeInfo)
}

// Node is one hub in one process.
type Node struct {
	ID string
	NodeInfo
	// Seen is when the node last announced itself.
	Seen time.Time
}

// NodeInfo is the information that a node gives to the others.
type NodeInfo struct {
	Conns int `json:"conns"`
	Rooms int `json:"rooms"`
	// Capacity is the number of connections that the node has capacity for. Zero means unknown.
	Capacity int `json:"capacity,omitempty"`
	// AdmitRate is the number of new connections that the node admits a second. Zero means no bound.
	AdmitRate float64 `json:"admit_rate,omitempty"`
	// Draining is set while the node drains its connections.
	Draining bool `json:"draining,omitempty"`
}

// Secrets is implemented by brokers that keep secrets shared by all nodes.
type Secrets interface {
	// Secret returns the secret of a name. If there is none yet, it first stores fresh, so that all nodes
	// get the same secret. A name must be valid as a room name. It blocks no longer than ctx.
	Secret(ctx context.Context, name string, fresh []byte) ([]byte, error)
}
